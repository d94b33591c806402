//! Searching the inventory: SQL and the interpreter in memory select the same certificates, and
//! pages neither skip nor repeat any.

use chancery_throwaway::{Backend, on_each_backend};
use std::collections::BTreeMap;

use chancery_event::filter::Filter;
use chancery_event::id::{AccountId, AttributeId, CertificateId, GroupId, RaProfileId};
use chancery_event::{Environment, Timestamp};
use chancery_store::table::account::{self, Account};
use chancery_store::table::attribute::{self, Attribute};
use chancery_store::table::certificate::search::{
    Bounds, PageRequest, Search, Searchable, Sort, schema,
};
use chancery_store::table::certificate::{
    self, AttributeValue, Certificate, Name, Placement, StatusRow,
};
use chancery_store::table::label::{self, Class, Label};
use chancery_store::{Error, Link, Settings, Store, Tx};

use crate::Place;
use crate::log::{Choice, NOW, environment};

const ATOMS: &[&str] = &[
    "status:valid",
    "status:expired,unknown",
    "expires<30d",
    "expires:next(10d)",
    "expires>2026-12-01",
    "issued<-3d",
    "added>-1d",
    "name:www.example.com",
    "san:*.example.com",
    "-name:*",
    "count(name)=2",
    "cn:HOST-1",
    "-cn:*",
    "subject:*host-2*",
    "issuer_cn:ca-1",
    "serial:00a*",
    "fingerprint:f1*",
    "key:ec*",
    "key_size>=2048",
    "ca:true",
    "anchor:false",
    "archived:true",
    "archived:*",
    "-archived:true",
    "replaced:true",
    "owner:ada",
    "owner!=ada",
    "-owner:*",
    "group:Web",
    "group:w*",
    "count(group)>1",
    "-group:web",
    "profile:Servers",
    "-ra_profile:*",
    "path:/prod*",
    "folder:/prod/web",
    "source:import",
    "sha1:000*",
    "eku:server_auth",
    "key_usage:*encipherment",
    "signature_algorithm:ECDSA-with-sha256",
    "key_size:256 key:rsa",
    "demo:true",
    "status:valid,expired expires>0d",
    "issued>2026-11-18T00:00:00Z",
    "-replaced:true status:valid",
    "subject:*host-2,o*",
    "subject:*ost-2*",
    "subject:*st*",
    "cn:*OST-1*",
    "issuer:*=ca-*",
    "issuer:*none*",
    "issuer_cn:*A-1",
    "name:*amp*",
    "name:*e.*",
    r#"name~"^w+[.]ex""#,
    "serial:*a1*",
    "fingerprint:*1f*",
    "sha1:*00",
    "owner:*d*",
    "owner:g*",
    "group:*e*",
    "ra_profile:*rv*",
    "path:*/w*",
    "attribute.team:*lu*",
    "attribute.team:*",
    "serial:*a1* OR cn:host-1 OR group:web",
    "host OR owner:ada",
    "subject:*ost-2* OR (status:expired owner:ada)",
    "name:*amp* OR expires<10d",
    "issuer:cn=ca-1",
    "name:*.example.com",
    "owner:ada,grace",
    "ra_profile:servers,Devices",
    "path:/PROD",
    "id:0*",
    "attribute.cost>=5",
    "attribute.team:blue",
    "-attribute.team:*",
    "attribute.critical:true",
    "attribute.until>-1d",
    "count(attribute.team)>1",
    "host",
    "www example",
    "ca*",
    "*",
];

#[derive(Clone)]
pub struct Stored {
    row: Certificate,
    names: Vec<Name>,
    groups: Vec<(GroupId, String)>,
    owner: Option<String>,
    ra_profile: Option<String>,
    attributes: Vec<(String, String, AttributeValue)>,
}

#[derive(Clone)]
pub struct World {
    attributes: Vec<Attribute>,
    accounts: Vec<(AccountId, String)>,
    groups: Vec<(GroupId, String)>,
    profiles: Vec<(RaProfileId, String)>,
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn some<T: Clone>(choice: &mut Choice, all: &[T]) -> Option<T> {
    let place = usize::try_from(choice.below(all.len() as u64 + 1)).unwrap();
    all.get(place).cloned()
}

fn world(environment: &Environment) -> World {
    let kinds = [("cost", "integer"), ("critical", "boolean"), ("team", "list"), ("until", "date")];
    World {
        attributes: kinds
            .iter()
            .map(|(name, kind)| Attribute {
                id: environment.id::<AttributeId>(),
                name: (*name).to_owned(),
                label: (*name).to_owned(),
                description: String::new(),
                kind: (*kind).to_owned(),
                choices: Vec::new(),
                required: false,
                version: 1,
                created_at: at(NOW),
            })
            .collect(),
        accounts: ["ada", "grace"].map(|name| (environment.id(), name.to_owned())).to_vec(),
        groups: ["Web", "mail", "Wide"].map(|name| (environment.id(), name.to_owned())).to_vec(),
        profiles: ["Servers", "devices"].map(|name| (environment.id(), name.to_owned())).to_vec(),
    }
}

fn row(choice: &mut Choice, environment: &Environment, number: u64) -> Certificate {
    let text = |text: &str| text.to_owned();
    let host = choice.below(6);
    let day = |days: i64| at(NOW + days * Timestamp::DAY);
    Certificate {
        id: environment.id::<CertificateId>(),
        fingerprint_sha256: format!("f{}{number:062}", choice.below(3)),
        fingerprint_sha1: format!("{number:040}"),
        serial: format!("00{}{number:04}", choice.of(&["a", "b"])),
        subject_dn: format!("CN=Host-{host},O=Example"),
        subject_cn: (host > 0).then(|| format!("Host-{host}")),
        issuer_dn: format!("CN=ca-{}", host % 2),
        issuer_cn: Some(format!("ca-{}", host % 2)),
        subject_key: format!("s{number}"),
        issuer_key: format!("i{}", host % 2),
        subject_key_id: None,
        authority_key_id: None,
        spki_sha256: format!("{number:064}"),
        not_before: day(-i64::try_from(choice.below(9)).unwrap()),
        // Several of them end at the same time: pages have to tell them apart.
        not_after: day(i64::try_from(choice.below(12)).unwrap() * 5 - 10),
        key_algorithm: text(choice.of(&["RSA", "EC P-256"])),
        key_size: choice.of(&[256, 2048, 4096]),
        signature_algorithm: text("ecdsa-with-SHA256"),
        is_ca: host == 0,
        self_issued: false,
        key_usage: text(choice.of(&["", "digital_signature,key_encipherment"])),
        extended_key_usage: text(choice.of(&["", "server_auth"])),
        trust_anchor: choice.below(5) == 0,
        demonstration: choice.below(5) == 0,
        status: text(choice.of(&["valid", "expired", "unknown"])),
        status_reason: String::new(),
        status_checks: text("[]"),
        chain: text("[]"),
        status_at: at(NOW),
        status_due_at: day(1),
        archived: choice.below(4) == 0,
        owner: None,
        ra_profile: None,
        path: text(choice.of(&["/", "/prod", "/prod/web", "/test"])),
        source: text(choice.of(&["upload", "import"])),
        replaced_by: (choice.below(6) == 0).then(|| environment.id()),
        replacement_kind: None,
        created_at: day(-i64::try_from(choice.below(4)).unwrap()),
        version: 1,
    }
}

fn stored(choice: &mut Choice, environment: &Environment, world: &World, number: u64) -> Stored {
    let mut row = row(choice, environment, number);
    let owner = some(choice, &world.accounts);
    let profile = some(choice, &world.profiles);
    row.owner = owner.as_ref().map(|(id, _)| *id);
    row.ra_profile = profile.as_ref().map(|(id, _)| *id);
    let all = [("dns", "www.example.com"), ("dns", "mail.example.com"), ("ip", "192.0.2.1")];
    let mut names: Vec<Name> = (0..choice.below(3))
        .map(|_| choice.of(&all))
        .map(|(kind, value)| Name { kind: kind.to_owned(), value: value.to_owned() })
        .collect();
    names.sort();
    names.dedup();
    let groups = world.groups.iter().filter(|_| choice.below(3) == 0).cloned().collect::<Vec<_>>();
    let mut attributes = Vec::new();
    for attribute in &world.attributes {
        let number = i32::try_from(choice.below(9)).unwrap();
        let values = match attribute.kind.as_str() {
            _ if choice.below(2) == 0 => vec![],
            "integer" => vec![AttributeValue::Number(f64::from(number))],
            "boolean" => vec![AttributeValue::Number(f64::from(number % 2))],
            "date" => {
                vec![AttributeValue::Time(at(NOW + i64::from(number - 4) * Timestamp::DAY))]
            }
            _ => ["Blue", "green"][usize::try_from(number % 2).unwrap()..]
                .iter()
                .map(|team| AttributeValue::Text((*team).to_owned()))
                .collect(),
        };
        let named = |value| (attribute.name.clone(), attribute.kind.clone(), value);
        attributes.extend(values.into_iter().map(named));
    }
    Stored {
        row,
        names,
        groups,
        owner: owner.map(|(_, name)| name),
        ra_profile: profile.map(|(_, name)| name),
        attributes,
    }
}

async fn insert_world(tx: &mut Tx, world: &World) -> Result<(), Error> {
    for attribute in &world.attributes {
        attribute::insert(tx, attribute).await?;
    }
    for (id, name) in &world.accounts {
        let account = Account {
            id: *id,
            name: name.clone(),
            display_name: String::new(),
            email: None,
            role: "viewer".to_owned(),
            password_hash: None,
            must_change: false,
            password_set_at: None,
            password_ends_at: None,
            disabled: false,
            expires_at: None,
            failures: 0,
            locked_until: None,
            last_login_at: None,
            created_at: at(NOW),
            version: 1,
        };
        account::insert(tx, &account).await?;
    }
    let groups = world.groups.iter().map(|(id, name)| (Class::Group, id.to_string(), name));
    let profiles = world.profiles.iter().map(|(id, name)| (Class::RaProfile, id.to_string(), name));
    for (class, id, name) in groups.chain(profiles) {
        let (name, description) = (name.clone(), String::new());
        let label = Label { id, name, description, version: 1, created_at: at(NOW) };
        label::insert(tx, class, &label).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, world: &World, one: &Stored) -> Result<(), Error> {
    certificate::insert(tx, &one.row, &[1], &one.names, 0).await?;
    let groups: Vec<_> = one.groups.iter().map(|(id, _)| *id).collect();
    certificate::put_groups(tx, one.row.id, &groups).await?;
    for attribute in &world.attributes {
        let of_it = one.attributes.iter().filter(|(name, _, _)| *name == attribute.name);
        let values: Vec<_> = of_it.map(|(_, _, value)| value.clone()).collect();
        certificate::put_attributes(tx, one.row.id, attribute.id, &values).await?;
    }
    Ok(())
}

/// An inventory of `count` certificates, after as many others came and went.
async fn opened(place: &Place, count: u64) -> (Store, World, Vec<Stored>) {
    let store = place.open().await;
    let (world, all) = filled(&store, count).await;
    (store, world, all)
}

/// Puts that inventory into a store.
pub async fn filled(store: &Store, count: u64) -> (World, Vec<Stored>) {
    let environment = environment(9);
    let mut choice = Choice(21);
    let world = world(&environment);
    let all: Vec<_> =
        (0..count * 2).map(|number| stored(&mut choice, &environment, &world, number)).collect();
    let shared = std::sync::Arc::new((world, all));
    let given = shared.clone();
    store
        .transaction("insert", move |tx: &mut Tx| {
            let given = given.clone();
            Box::pin(async move {
                insert_world(tx, &given.0).await?;
                for one in &given.1 {
                    insert(tx, &given.0, one).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
        .unwrap();
    let given = shared.clone();
    store
        .transaction("delete", move |tx: &mut Tx| {
            let given = given.clone();
            Box::pin(async move {
                for one in given.1.iter().step_by(2) {
                    certificate::delete(tx, one.row.id).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
        .unwrap();
    let (world, all) = &*shared;
    (world.clone(), all.iter().skip(1).step_by(2).cloned().collect())
}

/// Every atom selects what it selects in memory, and many some.
pub async fn each_atom_finds(store: &Store, world: &World, all: &[Stored]) {
    let schema = schema(&world.attributes);
    let mut link = store.read().await.unwrap();
    for text in ATOMS {
        let filter = Filter::parse(text, &schema).unwrap();
        let (filter, attributes) = (&filter, &world.attributes);
        let bounds = Bounds::default();
        let search = Search { filter, schema: &schema, attributes, now_us: NOW, bounds };
        let found = paged(&mut link, &search, Sort::Added, false, 500).await;
        let mut found: Vec<_> = found.iter().map(|row| row.id.to_string()).collect();
        found.sort();
        assert_eq!(found, expected(&search, all), "{text}");
    }
}

fn expected(search: &Search<'_>, all: &[Stored]) -> Vec<String> {
    let compiled = search.filter.compile(search.schema).unwrap();
    let mut names_archived = false;
    search.filter.each_comparison(&mut |comparison| {
        names_archived |= comparison.field == "archived";
    });
    let mut found: Vec<String> = all
        .iter()
        .filter(|one| names_archived || !one.row.archived)
        .filter(|one| {
            let groups: Vec<String> = one.groups.iter().map(|(_, name)| name.clone()).collect();
            let searchable = Searchable {
                row: &one.row,
                names: &one.names,
                groups: &groups,
                owner: one.owner.as_deref(),
                ra_profile: one.ra_profile.as_deref(),
                attributes: &one.attributes,
            };
            compiled.holds(&searchable, NOW)
        })
        .map(|one| one.row.id.to_string())
        .collect();
    found.sort();
    found
}

async fn paged(
    link: &mut Link,
    search: &Search<'_>,
    sort: Sort,
    descending: bool,
    limit: usize,
) -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    loop {
        let after = found.last().map(|row| (sort.value(row), row.id.to_string()));
        let request = PageRequest { sort, descending, after, limit };
        let page = search.page(link, &request).await.unwrap();
        let last = page.len() < limit;
        found.extend(page);
        if last {
            return found;
        }
    }
}

fn key(sort: Sort, row: &Certificate) -> (i64, String, String) {
    let (number, text) = match sort {
        Sort::Expires => (row.not_after.micros(), ""),
        Sort::Added => (row.created_at.micros(), ""),
        Sort::Subject => (0, row.subject_dn.as_str()),
        Sort::Status => (0, row.status.as_str()),
    };
    (number, text.to_owned(), row.id.to_string())
}

fn filter(choice: &mut Choice, schema: &chancery_event::filter::Schema, depth: u64) -> Filter {
    match choice.below(if depth == 0 { 1 } else { 8 }) {
        0..3 => Filter::parse(choice.of(ATOMS), schema).unwrap(),
        3..6 => Filter::And((0..2).map(|_| filter(choice, schema, depth - 1)).collect()),
        6 => Filter::Or((0..2).map(|_| filter(choice, schema, depth - 1)).collect()),
        _ => Filter::Not(Box::new(filter(choice, schema, depth - 1))),
    }
}

on_each_backend!(sql_and_memory_select_the_same_certificates_on_pages_of_any_order, 2);

async fn sql_and_memory_select_the_same_certificates_on_pages_of_any_order() {
    let place = Place::new().await;
    let (store, world, all) = opened(&place, 150).await;
    let schema = schema(&world.attributes);
    let mut link = store.read().await.unwrap();
    let mut choice = Choice(5);
    let atoms = ATOMS.iter().map(|text| Filter::parse(text, &schema).unwrap());
    let mut filters: Vec<Filter> = atoms.collect();
    filters.extend((0..600).map(|_| filter(&mut choice, &schema, 3)));
    for filter in &filters {
        let told = filter.to_text();
        let attributes = &world.attributes;
        // As if the inventory were large: each way to find a page has to find the same.
        let bounds = choice.of(&[
            Bounds::default(),
            Bounds { many: 10, near: 7, too_many: 40 },
            Bounds { many: 0, near: 20, too_many: 0 },
        ]);
        let search = Search { filter, schema: &schema, attributes, now_us: NOW, bounds };
        let expected = expected(&search, &all);
        let sort = choice.of(&[Sort::Expires, Sort::Added, Sort::Subject, Sort::Status]);
        let descending = choice.below(2) == 0;
        let limit = choice.of(&[3, 20, 500]);
        let found = paged(&mut link, &search, sort, descending, limit).await;
        let ordered = |pair: &[Certificate]| {
            let order = key(sort, &pair[0]).cmp(&key(sort, &pair[1]));
            if descending { order.is_gt() } else { order.is_lt() }
        };
        assert!(found.windows(2).all(ordered), "{told} by {sort:?}");
        let mut ids: Vec<String> = found.iter().map(|row| row.id.to_string()).collect();
        ids.sort();
        assert_eq!(ids, expected, "{told}");
        assert_eq!(search.count(&mut link).await.unwrap(), expected.len() as u64, "{told}");
        let selected: Vec<_> =
            all.iter().filter(|one| ids.contains(&one.row.id.to_string())).collect();
        facets_are_of(&search, &mut link, &selected).await;
        let width = choice.of(&[Timestamp::HOUR, 7 * Timestamp::DAY, 1_234_567_891]);
        let from = NOW.div_euclid(Timestamp::HOUR) * Timestamp::HOUR - 3 * Timestamp::DAY;
        let to = from + 40 * Timestamp::DAY + i64::try_from(choice.below(99)).unwrap();
        let mut bars: BTreeMap<i64, u64> = BTreeMap::new();
        for row in &found {
            let end = row.not_after.micros();
            if (from..to).contains(&end) {
                *bars.entry(from + (end - from) / width * width).or_default() += 1;
            }
        }
        let found = search.expiries(&mut link, at(from), at(to), width).await.unwrap();
        let found: BTreeMap<i64, u64> = found.into_iter().map(|(at, n)| (at.micros(), n)).collect();
        assert_eq!(found, bars, "{told} by {width}");
    }
}

/// The facets are what counting the selected certificates gives.
async fn facets_are_of(search: &Search<'_>, link: &mut Link, selected: &[&Stored]) {
    let told = search.filter.to_text();
    let facets = search.facets(link).await.unwrap();
    assert_eq!((facets.count, facets.sampled), (selected.len() as u64, false), "{told}");
    for field in ["status", "key_algorithm", "issuer_cn", "group", "ra_profile", "source"] {
        let values = |one: &&Stored| match field {
            "status" => vec![one.row.status.clone()],
            "key_algorithm" => vec![one.row.key_algorithm.clone()],
            "issuer_cn" => vec![one.row.issuer_cn.clone().unwrap_or_default()],
            "group" => one.groups.iter().map(|(_, name)| name.clone()).collect(),
            "ra_profile" => one.ra_profile.iter().cloned().collect(),
            _ => vec![one.row.source.clone()],
        };
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        selected.iter().flat_map(values).for_each(|value| *counts.entry(value).or_default() += 1);
        let found = facets.groups.iter().find(|(name, _)| *name == field);
        let found = found.map(|(_, values)| values.clone()).unwrap_or_default();
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), counts, "{field}: {told}");
    }
}

/// The counts that triggers keep are those that counting would give.
async fn recounted(link: &mut Link) {
    let columns = "group_id, archived, status, replaced, key_algorithm, key_size, \
        signature_algorithm, key_usage, extended_key_usage, source, is_ca, trust_anchor, \
        demonstration, issuer_cn, ra_profile";
    let sql = format!(
        "SELECT COUNT(*) AS n FROM (
         SELECT {columns}, SUM(certificates) FROM certificate_count GROUP BY {columns}
         HAVING SUM(certificates) <> 0
         EXCEPT SELECT {columns}, COUNT(*) FROM certificate_counted GROUP BY {columns}) AS other"
    );
    assert_eq!(link.number(sql, Vec::new()).await.unwrap(), 0, "counts");
    let sql = "SELECT (SELECT CAST(SUM(certificates) AS BIGINT) FROM certificate_count)
               - (SELECT COUNT(*) FROM certificate_counted) AS n";
    assert_eq!(link.number(sql, Vec::new()).await.unwrap(), 0, "all are counted");
    let sql = "SELECT COUNT(*) AS n FROM (
               SELECT hour, archived, status, replaced, SUM(certificates) FROM certificate_hour
               GROUP BY 1, 2, 3, 4 HAVING SUM(certificates) <> 0
               EXCEPT SELECT not_after / 3600000000 * 3600000000,
               archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, COUNT(*)
               FROM certificate GROUP BY 1, 2, 3, 4) AS other";
    assert_eq!(link.number(sql, Vec::new()).await.unwrap(), 0, "hours");
    let sql = "SELECT (SELECT CAST(SUM(certificates) AS BIGINT) FROM certificate_hour)
               - (SELECT COUNT(*) FROM certificate) AS n";
    assert_eq!(link.number(sql, Vec::new()).await.unwrap(), 0, "all hours are counted");
}

on_each_backend!(counts_follow_every_change, 2);

async fn counts_follow_every_change() {
    let place = Place::new().await;
    let (mut store, world, all) = opened(&place, 60).await;
    recounted(&mut store.read().await.unwrap()).await;
    if Backend::current() == Backend::Postgres {
        // Another session takes away what the first one counted.
        store = place.open().await;
    }
    let given = std::sync::Arc::new((world, all));
    store
        .transaction("change", move |tx: &mut Tx| {
            let given = given.clone();
            Box::pin(async move {
                let (world, all) = &*given;
                for (place, one) in all.iter().enumerate() {
                    let id = one.row.id;
                    match place % 6 {
                        0 => {
                            let status = StatusRow {
                                status: "expiring".to_owned(),
                                reason: String::new(),
                                checks: "[]".to_owned(),
                                chain: "[]".to_owned(),
                                at: at(NOW),
                                due_at: at(NOW),
                            };
                            certificate::update_status(tx, id, &status).await?;
                        }
                        1 => {
                            certificate::archive(tx, id, !one.row.archived).await?;
                        }
                        2 => {
                            certificate::link_replacement(tx, id, all[0].row.id, "renewal").await?;
                        }
                        3 => {
                            let placement = Placement {
                                owner: None,
                                ra_profile: (place % 2 == 0).then(|| world.profiles[0].0),
                                path: "/".to_owned(),
                                trust_anchor: !one.row.trust_anchor,
                            };
                            certificate::update_placement(tx, id, 1, &placement).await?;
                        }
                        4 => certificate::put_groups(tx, id, &[world.groups[1].0]).await?,
                        _ => {
                            certificate::delete(tx, id).await?;
                        }
                    }
                }
                // Others name it as their successor.
                certificate::delete(tx, all[0].row.id).await?;
                Ok::<(), Error>(())
            })
        })
        .await
        .unwrap();
    recounted(&mut store.read().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_find_the_same_certificates_in_a_backup() {
    let (place, other) = (Place::new().await, tempfile::tempdir().unwrap());
    let (store, world, all) = opened(&place, 40).await;
    store.backup(&other.path().join("chancery.db")).await.unwrap();
    let copy = Store::open(&Settings::embedded(other.path())).await.unwrap();
    let schema = schema(&world.attributes);
    for one in &all {
        let filter = Filter::parse(&one.row.fingerprint_sha256, &schema).unwrap();
        let attributes = &world.attributes;
        let search = Search {
            filter: &filter,
            schema: &schema,
            attributes,
            now_us: NOW,
            bounds: Bounds::default(),
        };
        let expected = expected(&search, &all);
        for store in [&store, &copy] {
            let mut link = store.read().await.unwrap();
            let found = paged(&mut link, &search, Sort::Added, false, 10).await;
            let ids: Vec<String> = found.iter().map(|row| row.id.to_string()).collect();
            assert_eq!(ids, expected);
        }
    }
}
