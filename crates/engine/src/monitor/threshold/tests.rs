//! Spellings of thresholds, and the times that they name.

use proptest::prelude::*;

use super::*;

fn day(number: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + number * Timestamp::DAY)
}

fn thresholds(texts: &[&str]) -> Vec<Threshold> {
    texts.iter().map(|text| Threshold::parse(text).unwrap()).collect()
}

#[test]
fn a_threshold_has_one_spelling_and_says_what_is_wrong() {
    for text in ["30d", "12h", "2w", "6mo", "10%", "30d/33%", "-7d", "0d"] {
        assert_eq!(Threshold::parse(text).unwrap().to_string(), text);
    }
    for text in
        ["", "d", "30", "30m", "0%", "101%", "30d/20d", "10%/20%", "-1d/10%", "99999d", "1y"]
    {
        let refused = Threshold::parse(text).unwrap_err();
        assert!(refused.contains("threshold") || refused.contains("share"), "{text}: {refused}");
    }
    assert_eq!(interval("1d"), Ok(Timestamp::DAY));
    assert!(interval("0h").is_err() && interval("1mo").is_err() && interval("-1d").is_err());
}

#[test]
fn the_shorter_of_days_and_share_counts() {
    let threshold = Threshold::parse("30d/33%").unwrap();
    let lead = |life: i64| {
        let end = day(life);
        end.since(threshold.instant(day(0), end)) / Timestamp::HOUR
    };
    assert_eq!(lead(398), 30 * 24);
    assert_eq!(lead(200), 30 * 24);
    assert_eq!(lead(100), 30 * 24);
    assert_eq!(lead(47), 47 * 24 * 33 / 100);
    assert_eq!(lead(6), 6 * 24 * 33 / 100);
}

#[test]
fn months_are_those_of_the_calendar() {
    let end: Timestamp = "2027-08-31T12:00:00Z".parse().unwrap();
    let at = Threshold::parse("6mo").unwrap().instant(end, end);
    assert_eq!(at.to_string(), "2027-02-28T12:00:00.000000Z");
}

#[test]
fn after_downtime_the_most_pressing_one_fires_and_names_the_others() {
    let course = Course::new(&thresholds(&["30d", "7d", "1d", "0d"]), None, day(0), day(100));
    assert_eq!(course.next_after(Timestamp::FIRST), Some(day(70)));
    assert_eq!(course.crossed(Timestamp::FIRST, day(69)), None);
    let crossed = course.crossed(Timestamp::FIRST, day(99)).unwrap();
    assert_eq!((crossed.threshold, crossed.passed, crossed.repeated), (2, vec![0, 1], false));
    assert_eq!(course.crossed(crossed.handled, day(99)), None);
    assert_eq!(course.next_after(crossed.handled), Some(day(100)));
    assert_eq!(course.crossed(day(100), day(1_000)), None);
    assert_eq!(course.next_after(day(100)), None);
}

#[test]
fn a_repeat_goes_on_until_the_next_threshold_and_never_in_bulk() {
    let daily = Some(Timestamp::DAY);
    let course = Course::new(&thresholds(&["3d", "0d"]), daily, day(0), day(100));
    let first = course.crossed(Timestamp::FIRST, day(97)).unwrap();
    assert!(!first.repeated);
    assert_eq!(course.next_after(first.handled), Some(day(98)));
    let again = course.crossed(first.handled, day(98)).unwrap();
    assert!(again.repeated);
    let end = course.crossed(again.handled, day(105)).unwrap();
    assert_eq!((end.threshold, end.repeated), (1, false));
    assert_eq!(course.next_after(end.handled), Some(day(106)), "one event for the days between");
}

proptest! {
    /// However a life is cut into looks, each threshold is reported exactly once: by an event of
    /// its own, or named as passed.
    #[test]
    fn each_threshold_is_reported_once(
        leads in prop::collection::btree_set(-20i64..60, 1..6),
        looks in prop::collection::vec(0i64..130 * 24, 1..40),
    ) {
        let texts: Vec<_> = leads.iter().map(|lead| format!("{lead}d")).collect();
        let list: Vec<_> = texts.iter().map(|text| Threshold::parse(text).unwrap()).collect();
        let course = Course::new(&list, None, day(0), day(100));
        let mut looks = looks;
        looks.sort_unstable();
        looks.push(140 * 24);
        let (mut handled, mut seen) = (Timestamp::FIRST, vec![0; list.len()]);
        for hour in looks {
            let now = day(0).plus(hour * Timestamp::HOUR);
            let due = course.next_after(handled).is_some_and(|at| at <= now);
            let crossed = course.crossed(handled, now);
            prop_assert_eq!(due, crossed.is_some());
            let Some(crossed) = crossed else { continue };
            prop_assert!(crossed.instant <= now);
            handled = crossed.handled;
            seen[crossed.threshold] += 1;
            for position in crossed.passed {
                seen[position] += 1;
            }
        }
        prop_assert!(seen.iter().all(|count| *count == 1), "{:?}", seen);
    }
}

#[test]
fn a_threshold_is_told_in_words() {
    for (text, words) in [
        ("30d", "30 days before its end"),
        ("1d", "1 day before its end"),
        ("12h", "12 hours before its end"),
        ("6mo", "6 months before its end"),
        ("0d", "at its end"),
        ("0h/10%", "at its end"),
        ("-7d", "7 days after its end"),
        ("-1w", "1 week after its end"),
        ("10%", "10% of its life before its end"),
        ("30d/33%", "30 days or 33% of its life before its end, whichever is shorter"),
    ] {
        assert_eq!(Threshold::parse(text).unwrap().words(), words);
    }
}
