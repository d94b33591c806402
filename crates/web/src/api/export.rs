//! Exports: everything that fits a filter, as NDJSON or CSV, streamed page by page so that memory
//! stays bounded however much it is. The export itself is an event, recorded before the first byte
//! leaves the house.

mod list;
mod notice;
mod unreached;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chancery_engine::history::{EventQuery, ExportRecord, bounds};
use chancery_engine::inventory::search::CertificateQuery;
use chancery_engine::{Context, Engine, Error, Permission};
use chancery_event::Dialect;
use chancery_event::filter::Filter;
use chancery_event::id::LogIndex;
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::certificate::{self, CertificateSummary};
use super::event::{self, EventRecord};
use super::{Operations, dialect, listing};
use crate::edge::{Caller, Params, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::Export, routes!(export_events));
    operations.any(Permission::Export, routes!(export_certificates));
    list::add(operations);
    notice::add(operations);
    unreached::add(operations);
}

/// What is exported, and how.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportParams {
    /// Condition; everything unless told otherwise.
    filter: Option<String>,
    /// `ndjson` (unless told otherwise) or `csv`; events also `jsonl`: with the sealed bytes and
    /// proofs, for `chancery verify --export`.
    #[param(example = "csv")]
    format: Option<String>,
    /// Events: their shape (`okta`, `ocsf`, `cef` and so on), one a line, instead of a format.
    #[param(example = "ocsf")]
    dialect: Option<String>,
    /// Events: from this log index on.
    from: Option<u64>,
    /// Events: up to this log index, itself included.
    to: Option<u64>,
    /// Certificates: `expires`, `added`, `subject` or `status`; a leading `-` turns the order
    /// round.
    sort: Option<String>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, with a header line.
    Csv,
}

impl Format {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        match text.unwrap_or("ndjson") {
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            _ => Err(Problem::invalid("format", "`ndjson` or `csv`; for events also `jsonl`")),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// One page of rows as bytes.
    pub(super) fn write<T: Serialize>(
        self,
        rows: &[T],
        columns: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
        is_first: bool,
    ) -> Result<Bytes, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Internal(format!("export: {error}"));
        let mut out = Vec::new();
        match self {
            Self::Ndjson => {
                for row in rows {
                    serde_json::to_writer(&mut out, row).map_err(|error| failed(&error))?;
                    out.push(b'\n');
                }
            }
            Self::Csv => {
                let mut writer = csv::Writer::from_writer(&mut out);
                if is_first {
                    writer.write_record(columns).map_err(|error| failed(&error))?;
                }
                for row in rows {
                    let cells = cells(row).into_iter().map(harmless);
                    writer.write_record(cells).map_err(|error| failed(&error))?;
                }
                writer.flush().map_err(|error| failed(&error))?;
            }
        }
        Ok(out.into())
    }
}

/// Spreadsheets run cells that begin with these, also behind white space and in full width; a quote
/// in front keeps them texts.
fn harmless(cell: String) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let begins = cell.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let led = cell.starts_with(['\t', '\r', '\n']);
    if led || begins.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

/// The context for the next page of an export: who was shut out or demoted since it began gets no
/// more of it.
pub(super) async fn still(engine: &Engine, context: &Context) -> Result<Context, Error> {
    let context = engine.as_of_now(context).await?;
    context.require(Permission::Export)?;
    Ok(context)
}

/// Export events
///
/// All sealed events that fit the filter, oldest first, up to those sealed when the export began.
#[utoipa::path(get, path = "/api/v1/events/export", tag = "events",
    params(ExportParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv"),
            (String = "application/jsonl")))))]
async fn export_events(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    let filter = event::filter(&engine, params.filter.as_deref())?;
    let dialect = dialect::asked(params.dialect.as_deref())?;
    if let Some(dialect) = dialect
        && (params.format.is_some() || dialect == Dialect::CloudEventsBinary)
    {
        return Err(Problem::invalid("dialect", "one without headers, and no `format` beside it"));
    }
    if params.format.as_deref() == Some("jsonl") {
        return verifiable(&engine, &caller, filter, &params).await;
    }
    let format = Format::parse(params.format.as_deref())?;
    let size = engine.log_checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
    let (next, end) = bounds(params.from, params.to, size)?;
    let count = engine.count_within(caller.context(), &filter, next, end).await?;
    let export = ExportRecord {
        format: dialect.map_or(format.as_str(), Dialect::name),
        count,
        query: filter.to_text(),
        range: end.checked_sub(1).map(|last| (LogIndex(next), LogIndex(last))),
    };
    engine.record_event_export(caller.context(), export).await?;
    let state = EventExport { engine, caller, filter, format, dialect, next, end, is_first: true };
    let rows = stream::try_unfold(state, EventExport::page);
    let (media_type, name) = match dialect {
        Some(dialect) if dialect.is_text() => {
            ("text/plain; charset=utf-8", format!("events.{dialect}.log"))
        }
        Some(dialect) => (Format::Ndjson.media_type(), format!("events.{dialect}.ndjson")),
        None => (format.media_type(), format!("events.{}", format.as_str())),
    };
    Ok((event::streamed(media_type, Some(&name)), Body::from_stream(rows)).into_response())
}

/// An export that can be verified off-line.
async fn verifiable(
    engine: &Engine,
    caller: &Caller,
    filter: Filter,
    params: &ExportParams,
) -> Result<Response, Problem> {
    let export = engine.export_events(caller.context(), filter, params.from, params.to).await?;
    let pages = stream::try_unfold(export, |mut export| async move {
        let page = export.page().await?;
        Ok::<_, Error>(page.map(|page| (Bytes::from(page), export)))
    });
    let headers = event::streamed("application/jsonl", Some("events.jsonl"));
    Ok((headers, Body::from_stream(pages)).into_response())
}

struct EventExport {
    engine: Engine,
    caller: Caller,
    filter: Filter,
    format: Format,
    dialect: Option<Dialect>,
    next: u64,
    end: u64,
    is_first: bool,
}

impl EventExport {
    async fn page(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        if self.next >= self.end && !self.is_first {
            return Ok(None);
        }
        let query = EventQuery {
            filter: self.filter.clone(),
            before: Some(LogIndex(self.end)),
            from: Some(LogIndex(self.next)),
            limit: listing::LIMIT_MAX,
            oldest_first: true,
        };
        let context = still(&self.engine, self.caller.context()).await?;
        let page = self.engine.events(&context, query).await?;
        self.next = match page.events.last() {
            Some(last) if page.more => last.index.0 + 1,
            _ => self.end,
        };
        if let Some(dialect) = self.dialect {
            let mut out = Vec::new();
            page.events.iter().for_each(|seen| dialect::line(dialect, seen, &mut out));
            self.is_first = false;
            return Ok(Some((out.into(), self)));
        }
        let rows: Vec<EventRecord> = page.events.iter().map(EventRecord::from).collect();
        let bytes =
            self.format.write(&rows, EventRecord::COLUMNS, EventRecord::cells, self.is_first)?;
        self.is_first = false;
        Ok(Some((bytes, self)))
    }
}

/// Export certificates
///
/// All certificates that fit the filter.
#[utoipa::path(get, path = "/api/v1/certificates/export", tag = "certificates",
    params(ExportParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_certificates(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    if params.from.is_some() || params.to.is_some() {
        let field = if params.from.is_some() { "from" } else { "to" };
        return Err(Problem::invalid(field, "only events have a log index"));
    }
    if params.dialect.is_some() {
        return Err(Problem::invalid("dialect", "only events have dialects"));
    }
    let format = Format::parse(params.format.as_deref())?;
    let (sort, descending) = certificate::sort(params.sort.as_deref())?;
    let filter = certificate::filter(&engine, params.filter.as_deref()).await?;
    let count = engine.certificate_count(caller.context(), &filter).await?;
    let export = ExportRecord {
        format: format.as_str(),
        count,
        query: filter.filter().to_text(),
        range: None,
    };
    engine.record_certificate_export(caller.context(), export).await?;
    let query =
        CertificateQuery { filter, sort, descending, cursor: None, limit: listing::LIMIT_MAX };
    let state = CertificateExport { engine, caller, query: Some(query), format, is_first: true };
    let rows = stream::try_unfold(state, CertificateExport::page);
    let name = format!("certificates.{}", format.as_str());
    Ok((event::streamed(format.media_type(), Some(&name)), Body::from_stream(rows)).into_response())
}

struct CertificateExport {
    engine: Engine,
    caller: Caller,
    /// What to read next; `None` at the end.
    query: Option<CertificateQuery>,
    format: Format,
    is_first: bool,
}

impl CertificateExport {
    async fn page(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let context = still(&self.engine, self.caller.context()).await?;
        let page = self.engine.certificates(&context, &query).await?;
        self.query = page.next.map(|cursor| CertificateQuery { cursor: Some(cursor), ..query });
        let rows: Vec<CertificateSummary> =
            page.items.iter().map(CertificateSummary::from).collect();
        let bytes = self.format.write(
            &rows,
            CertificateSummary::COLUMNS,
            CertificateSummary::cells,
            self.is_first,
        )?;
        self.is_first = false;
        Ok(Some((bytes, self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_never_formulas() {
        let write = |is_first| {
            let rows = ["=cmd()", "a,b", " =x", "\u{ff1d}x", "\n=x"];
            let bytes = Format::Csv.write(&rows, &["x"], |row| vec![(*row).to_owned()], is_first);
            String::from_utf8(bytes.unwrap().to_vec()).unwrap()
        };
        let all = "'=cmd()\n\"a,b\"\n' =x\n'\u{ff1d}x\n\"'\n=x\"\n";
        assert_eq!(write(true), format!("x\n{all}"));
        assert_eq!(write(false), all);
    }
}
