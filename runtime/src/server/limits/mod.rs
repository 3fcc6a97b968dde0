//! What a server limits beside what each connection limits by itself: connections, calls in
//! flight, message sizes and times of single methods. For a server that sets none the cost
//! is one branch a call.

mod admission;
mod call_gate;
mod deadline_policy;
mod places;
mod route_bounds;
mod server_limits;
mod waiting_line;

pub(super) use admission::{Admission, Admitted};
pub use deadline_policy::DeadlinePolicy;
pub(super) use places::{Entrance, InLine};
pub(super) use route_bounds::{Bounding, RouteBounds};
pub use server_limits::{CallLimit, MethodLimits, ServerLimits};
