use chancery_event::id::JobId;

use super::{Kind, position};

#[test]
fn a_cursor_is_what_the_list_has_given() {
    let id = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4";
    let (time, job) = position(&format!("12.{id}")).unwrap();
    assert_eq!((time.micros(), job), (12, id.parse::<JobId>().unwrap()));
    for bad in ["", "12", "x.y", "12.", &format!("{id}.12")] {
        assert_eq!(position(bad).unwrap_err().reason(), "invalid", "{bad}");
    }
}

#[test]
fn kinds_have_one_spelling_and_a_queue_that_runs() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert!(super::runner::has_queue(kind.queue()), "{kind:?}");
    }
}
