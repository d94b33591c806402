//! stub
use crate::Error;
use chancery_store::table::certificate::AttributeValue;
pub fn parse(
    _d: &chancery_store::table::attribute::Attribute,
    _v: &serde_json::Value,
) -> Result<Vec<AttributeValue>, Error> {
    Ok(vec![])
}
pub fn display(_k: &str, _v: &AttributeValue) -> String {
    String::new()
}
