//! Hash tiles as they are stored: full ones for ever, the rightmost of each level growing.

use std::collections::HashMap;

use crate::{Error, Link, args};

/// The hashes of one stored tile, 32 bytes each; `None` if there is no such tile. A partial tile
/// may hold more hashes than an older checkpoint covers; readers take the prefix they need.
pub async fn tile(link: &mut Link, level: u8, index: u64) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT hashes FROM log_tile WHERE level = $1 AND tile_index = $2";
    link.row(sql, args![level, index]).await?.map(|row| row.bytes("hashes")).transpose()
}

/// Several stored tiles, by level and index; missing ones are left out.
pub async fn tiles(
    link: &mut Link,
    wanted: Vec<(u8, u64)>,
) -> Result<HashMap<(u8, u64), Vec<u8>>, Error> {
    let mut found = HashMap::new();
    // One trip for all of them: the edge of a tree has a tile for each level.
    for wanted in wanted.chunks(64) {
        let places = vec!["(level = ? AND tile_index = ?)"; wanted.len()].join(" OR ");
        let sql = format!("SELECT level, tile_index, hashes FROM log_tile WHERE {places}");
        let values = wanted.iter().flat_map(|(level, index)| args![*level, *index]).collect();
        for row in link.rows(sql, values).await? {
            let level = u8::try_from(row.count("level")?)
                .map_err(|_| Error::Damaged("a tile has an impossible level".to_owned()))?;
            found.insert((level, row.count("tile_index")?), row.bytes("hashes")?);
        }
    }
    Ok(found)
}
