//! The only way to add a route: with its access declared, and the guard around its handler.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::UtoipaMethodRouter;

use super::guard::{Gate, guard};
use super::{Access, AppState, RouteInfo, stack};

/// Longest body of a request that is no upload, in bytes.
const BODY_MAX: usize = 1024 * 1024;

/// Gathers routes, each with the guard of its access around it, and the table of what was declared.
pub struct Routes {
    state: AppState,
    router: Router<AppState>,
    table: Vec<RouteInfo>,
}

impl Routes {
    /// No routes yet.
    pub fn new(state: AppState) -> Self {
        Self { state, router: Router::new(), table: Vec::new() }
    }

    /// What every handler can reach.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// What was declared so far.
    pub fn table(&self) -> &[RouteInfo] {
        &self.table
    }

    /// Adds a route. `path` has parameters in braces, as in `/certificates/{id}`.
    ///
    /// # Panics
    /// The method is not one of HTTP's, or the route is there already: a mistake of the programmer
    /// that shows when the router is built.
    pub fn add<H, T>(&mut self, method: Method, path: &str, access: Access, handler: H) -> &mut Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let router = on(filter(&method), handler);
        self.mount(vec![method], path, access, BODY_MAX, router)
    }

    /// Adds a route whose body may be as long as an upload.
    ///
    /// # Panics
    /// As [`Routes::add`].
    pub fn add_upload<H, T>(
        &mut self,
        method: Method,
        path: &str,
        access: Access,
        handler: H,
    ) -> &mut Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let router = on(filter(&method), handler);
        self.mount(vec![method], path, access, self.state.options.max_upload_bytes, router)
    }

    /// Adds a documented operation of the API, and its description to `document`.
    ///
    /// # Panics
    /// As [`Routes::add`].
    pub(crate) fn operation(
        &mut self,
        document: &mut OpenApi,
        access: Access,
        is_upload: bool,
        (schemas, paths, router): UtoipaMethodRouter<AppState>,
    ) -> &mut Self {
        let body_max = if is_upload { self.state.options.max_upload_bytes } else { BODY_MAX };
        let mut places = Vec::new();
        for (path, mut item) in paths.paths {
            let methods = crate::api::document::complete(&mut item, access);
            document.paths.paths.entry(path.clone()).or_default().merge_operations(item);
            places.push((path, methods));
        }
        let components = document.components.get_or_insert_default();
        components.schemas.extend(schemas);
        // One handler, one path: `routes!` is called with one handler here.
        if let Some((path, methods)) = places.pop() {
            self.mount(methods, &path, access, body_max, router);
        }
        self
    }

    fn mount(
        &mut self,
        methods: Vec<Method>,
        path: &str,
        access: Access,
        body_max: usize,
        router: MethodRouter<AppState>,
    ) -> &mut Self {
        let gate = Gate { state: self.state.clone(), access, route: path.into(), body_max };
        let router = router.route_layer(from_fn_with_state(gate, guard));
        self.router = std::mem::take(&mut self.router).route(path, router);
        self.table.extend(methods.into_iter().map(|method| RouteInfo {
            method,
            path: path.to_owned(),
            access,
        }));
        self
    }

    /// The router with everything around it, and the table of its routes.
    pub fn finish(self) -> (Router, Vec<RouteInfo>) {
        (stack::wrap(self.router, self.state), self.table)
    }
}

fn filter(method: &Method) -> MethodFilter {
    // Unwrap safety: called while the router is built, with methods written in the source.
    MethodFilter::try_from(method.clone()).expect("a method of HTTP")
}
