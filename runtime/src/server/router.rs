//! From a request's path to its handler. It must never read anything but the
//! path.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::ServerError;
use super::handler::Route;
use super::service::Service;
use crate::status::{Code, Status};

/// Every method of a server's services, by path.
#[derive(Debug)]
pub(crate) struct Router {
    routes: HashMap<&'static str, (Arc<[Route]>, usize)>,
    services: Vec<&'static str>,
}

impl Router {
    pub(crate) fn new(services: &[Service]) -> Result<Self, ServerError> {
        let mut router = Self {
            routes: HashMap::new(),
            services: Vec::new(),
        };
        for service in services {
            if router.services.contains(&service.name()) {
                return Err(ServerError::DuplicateService(service.name()));
            }
            router.services.push(service.name());
            for (index, route) in service.routes().iter().enumerate() {
                let entry = (Arc::clone(service.routes()), index);
                router.routes.insert(route.method.path(), entry);
            }
        }
        Ok(router)
    }

    /// The route of a path, or why there is none. Paths are compared as bytes
    /// are: case matters.
    pub(crate) fn find(&self, path: &[u8]) -> Result<&Route, Status> {
        std::str::from_utf8(path)
            .ok()
            .and_then(|path| self.routes.get(path))
            .and_then(|(routes, index)| routes.get(*index))
            .ok_or_else(|| self.unknown(path))
    }

    fn unknown(&self, path: &[u8]) -> Status {
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
