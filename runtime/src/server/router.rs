//! From a request's path to its handler.

use std::sync::Arc;

use super::error::ServerError;
use super::handler::Route;
use super::interceptor::ServerInterceptors;
use super::limits::{Bounding, RouteBounds, ServerLimits};
use super::served_services::ServedServices;
use super::service::Service;
use super::unimplemented;
use crate::framing::Compression;
use crate::limits::CallLimits;
use crate::method::Method;
use crate::status::{Code, Status};

/// Every method of a server's services, by path.
#[derive(Debug)]
pub(crate) struct Router {
    /// In the order of [`key`]. The first one may have no path: it answers for
    /// paths that are not here, where interceptors want to see such calls.
    entries: Vec<RouteEntry>,
    services: Vec<&'static str>,
}

/// A route and what holds for its calls.
#[derive(Debug)]
pub(super) struct RouteEntry {
    path: &'static [u8],
    pub(super) route: Arc<Route>,
    /// The encoding of its responses.
    pub(super) compression: Compression,
    /// How large its messages may be.
    pub(super) limits: CallLimits,
    /// Limits of its calls, if any.
    pub(super) bounds: Option<Box<RouteBounds>>,
}

/// Defaults for services that set none, and the interceptors around all services.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) compression: Compression,
    pub(super) limits: CallLimits,
    pub(super) server_limits: ServerLimits,
    pub(super) interceptors: ServerInterceptors,
}

/// A route found before: its place in the router that found it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteId(usize);

/// Lengths first: they tell most paths apart, and a service's share their
/// beginning.
fn key(path: &[u8]) -> (usize, &[u8]) {
    (path.len(), path)
}

impl Router {
    pub(super) fn new(services: &[Service], defaults: &Defaults) -> Result<Self, ServerError> {
        let mut router = Self {
            entries: Vec::new(),
            services: Vec::new(),
        };
        let mut bounding = Bounding::new(&defaults.server_limits);
        for service in services {
            if router.services.contains(&service.name()) {
                return Err(ServerError::DuplicateService(service.name()));
            }
            service.check()?;
            router.services.push(service.name());
        }
        let served = ServedServices::new(&router.services);
        for service in services {
            let compression = service.own_compression();
            let interceptors = defaults.interceptors.around(service.interceptors());
            for route in service.routes() {
                let limits = service.limits(defaults.limits);
                let (bounds, limits) = bounding.of(route.method, limits);
                let mut route = Arc::clone(route);
                if let Some(judge) = service.judge() {
                    route = route.validated(judge);
                }
                if service.is_told_of_services() {
                    route = served.tell(&route);
                }
                router.entries.push(RouteEntry {
                    path: route.method.path().as_bytes(),
                    route: interceptors.wrap(&route),
                    compression: compression.unwrap_or(defaults.compression),
                    limits,
                    bounds,
                });
            }
        }
        if !defaults.interceptors.is_empty() {
            let (bounds, limits) = bounding.of(Method::UNKNOWN, defaults.limits);
            router.entries.push(RouteEntry {
                path: b"",
                route: defaults
                    .interceptors
                    .wrap(&Arc::new(unimplemented::route())),
                compression: Compression::Identity,
                limits,
                bounds,
            });
        }
        bounding.finish()?;
        router.entries.sort_by(|a, b| key(a.path).cmp(&key(b.path)));
        Ok(router)
    }

    /// The route of a path, or why there is none. Paths are compared as bytes
    /// are: case matters.
    pub(crate) fn find(&self, path: &[u8]) -> Result<RouteId, Status> {
        self.entries
            .binary_search_by(|entry| key(entry.path).cmp(&key(path)))
            .map(RouteId)
            .map_err(|_| self.unimplemented(path))
    }

    /// The route for unknown paths; `None` if no interceptor would see the call.
    pub(crate) fn unknown(&self) -> Option<RouteId> {
        let first = self.entries.first()?;
        first.path.is_empty().then_some(RouteId(0))
    }

    #[inline]
    pub(super) fn entry(&self, id: RouteId) -> &RouteEntry {
        &self.entries[id.0]
    }

    fn unimplemented(&self, path: &[u8]) -> Status {
        let path = String::from_utf8_lossy(path);
        let service = path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let text = if self.services.contains(&service) {
            format!("the service '{service}' has no method '{path}'")
        } else {
            format!("this server has no service '{service}' (asked for {path})")
        };
        Status::new(Code::Unimplemented, text)
    }
}
