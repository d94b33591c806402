//! stub
/// s
pub fn words(_e: &crate::Event) -> String {
    String::new()
}
