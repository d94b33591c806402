//! The nodes on this database.

use axum::extract::State;
use chancery_engine::node::NodeView;
use chancery_engine::{Engine, Permission};
use serde::Serialize;
use utoipa_axum::routes;

use super::Operations;
use crate::edge::{Caller, Json, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::MetricsRead, routes!(list_nodes));
}

/// A running server process, or one that ended lately.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Node {
    /// Its identifier, new with every start; also the `node` of its events.
    id: String,
    /// Name of its machine.
    host: String,
    /// Version of the program.
    version: String,
    /// `running`, `stopped` or `vanished`.
    #[schema(example = "running")]
    state: String,
    /// It is the node that answered.
    own: bool,
    /// What it alone does at the moment, such as `sealer`.
    leases: Vec<String>,
    /// Forwarders that it serves.
    forwarders: u64,
    /// Channels that it serves.
    channels: u64,
    /// Sources that it fetches from.
    sources: u64,
    /// Jobs that it does.
    jobs: u64,
    /// Monitors and schedules that it runs at this moment.
    runs: u64,
    /// Entries sealed two beats ago or earlier that it did not know of at its last beat.
    lag: u64,
    /// Milliseconds that its clock was ahead of the database server's then; behind where negative.
    clock_ahead_ms: i64,
    /// When it started.
    started_at: String,
    /// When it last showed that it lives, by its own clock.
    seen_at: String,
    /// When it stopped, or was found to be gone.
    ended_at: Option<String>,
}

impl From<NodeView> for Node {
    fn from(node: NodeView) -> Self {
        Self {
            id: node.id.to_string(),
            host: node.host,
            version: node.version,
            state: node.state,
            own: node.own,
            leases: node.leases,
            forwarders: node.forwarders,
            channels: node.channels,
            sources: node.sources,
            jobs: node.jobs,
            runs: node.runs,
            lag: node.lag,
            clock_ahead_ms: node.clock_ahead_ms,
            started_at: node.started_at.to_string(),
            seen_at: node.seen_at.to_string(),
            ended_at: node.ended_at.map(|at| at.to_string()),
        }
    }
}

/// All of them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Nodes {
    /// Those that run first, then the newest.
    items: Vec<Node>,
}

/// List the nodes
///
/// Which processes run on this database, what each of them alone does and how much it serves, and
/// which ended lately.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "health",
    responses((status = 200, description = "The nodes", body = Nodes)))]
async fn list_nodes(State(engine): State<Engine>, caller: Caller) -> Result<Json<Nodes>, Problem> {
    let nodes = engine.nodes(caller.context()).await?;
    Ok(Json(Nodes { items: nodes.into_iter().map(Node::from).collect() }))
}
