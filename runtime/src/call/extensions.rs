//! Values of any type that accompany a call inside one process. An empty set allocates
//! nothing.

use std::any::{Any, TypeId};
use std::fmt;

/// Values that interceptors and handlers of one call pass to each other: at most one value
/// of each type. They never leave the process.
///
/// ```
/// use grpc_runtime::{Context, Next, Outcome, ServerInterceptor, Status};
///
/// struct User(String);
///
/// struct Authenticate;
///
/// impl ServerInterceptor for Authenticate {
///     async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
///         let Some(name) = context.metadata().get("x-user").map(str::to_owned) else {
///             return Status::unauthenticated("who are you?").into();
///         };
///         context.extensions_mut().insert(User(name));
///         next.run(context).await
///     }
/// }
///
/// fn in_a_handler(context: &Context) -> Result<&str, Status> {
///     let user = context.extensions().get::<User>();
///     user.map(|user| user.0.as_str()).ok_or_else(|| Status::internal("no Authenticate"))
/// }
/// ```
#[derive(Default)]
pub struct Extensions(Option<Box<Values>>);

/// A call has few values, so a linear search is the fastest lookup.
type Values = Vec<(TypeId, Box<dyn Any + Send + Sync>)>;

impl Extensions {
    /// The value of this type, if there is one.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let values = self.0.as_deref()?;
        let (_, value) = values.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// The value of this type, mutably.
    pub fn get_mut<T: Any + Send + Sync>(&mut self) -> Option<&mut T> {
        let values = self.0.as_deref_mut()?;
        let (_, value) = values.iter_mut().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }

    /// Inserts a value and returns the previous one of its type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) -> Option<T> {
        if let Some(present) = self.get_mut() {
            return Some(std::mem::replace(present, value));
        }
        let values = self.0.get_or_insert_default();
        values.push((TypeId::of::<T>(), Box::new(value)));
        None
    }

    /// Removes and returns the value of this type.
    pub fn remove<T: Any + Send + Sync>(&mut self) -> Option<T> {
        let values = self.0.as_deref_mut()?;
        let place = values.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        let (_, value) = values.swap_remove(place);
        value.downcast().ok().map(|value| *value)
    }
}

/// Shows only how many values there are: their types need not implement `Debug`.
impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_deref().map_or(0, Vec::len);
        write!(f, "Extensions({count})")
    }
}

#[cfg(test)]
mod tests;
