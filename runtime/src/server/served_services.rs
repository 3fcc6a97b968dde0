//! The names of a server's services, for handlers that ask for them (reflection). Other
//! services have no cost from it.

use std::sync::Arc;

use super::handler::{HandlerFuture, Invocation, Route};

/// The names of all services of a server, in the order in which they were added: what
/// handlers of a service that [asked for it](crate::Service::told_of_services) find among a
/// call's [extensions](crate::Context::extensions).
#[derive(Clone, Debug)]
pub struct ServedServices(Arc<[&'static str]>);

impl ServedServices {
    pub(super) fn new(names: &[&'static str]) -> Self {
        Self(names.into())
    }

    /// The services' full names (`package.Service`), without duplicates.
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }

    /// The route with this among the extensions of its calls.
    pub(super) fn tell(&self, route: &Arc<Route>) -> Arc<Route> {
        let (services, told) = (self.clone(), Arc::clone(route));
        let handler = move |mut invocation: Invocation| -> HandlerFuture {
            let extensions = invocation.context.extensions_mut();
            extensions.insert(services.clone());
            told.handle(invocation)
        };
        Arc::new(Route::new(route.method, Box::new(handler)))
    }
}
