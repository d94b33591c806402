//! Any bytes as an event and as a sealed entry: what opens is written again to the same bytes.
#![no_main]

use chancery_event::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Event::from_slice(bytes);
    if let Ok(event) = Event::open(bytes, None) {
        let _ = chancery_event::sentence(&event);
        let _ = event.to_json();
        let _ = event.entry([0; 32]);
    }
});
