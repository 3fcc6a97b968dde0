//! ring_hash (gRFC A42, A61, A76): calls with the same key go to the same endpoint while it
//! is reachable.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::control::Control;
use super::pick_first::empty;
use super::policy::{Balance, Policy, Resolved};
use super::ring::{Ring, RingSeat, Size, hash};
use crate::chance::Chance;
use crate::channel::address::EndpointKey;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::metadata::{Metadata, MetadataError, MetadataValue};
use crate::status::Status;

/// The limit of gRFC A42 on the size of a ring.
const MOST_PLACES: usize = 8 << 20;

/// Sends calls with the same key to the same server while it is reachable (gRFC A42, A76).
/// It is for servers that keep data of their callers, such as a cache. When a server is
/// added or removed, only its share of the keys moves.
///
/// The key of a call is the value of a header
/// ([`request_hash_header`](Self::request_hash_header)); a call without it goes to a random
/// server. Connections are established when calls need them. If the server of a key cannot
/// be reached, its calls go to the next one on the ring.
///
/// A resolver may give an endpoint a [`HashKey`](crate::HashKey) and an
/// [`EndpointWeight`](crate::EndpointWeight). Needs the feature `ring-hash`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, ChannelCredentials, RingHash};
///
/// let channel = Channel::builder("dns:///cache.internal:50051")?
///     .balance(RingHash::new().request_hash_header("x-user")?)
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RingHash {
    size: Size,
    header: Option<Arc<str>>,
}

impl Default for RingHash {
    fn default() -> Self {
        let size = Size {
            least: 1_024,
            most: 4_096,
        };
        Self { size, header: None }
    }
}

impl RingHash {
    /// Without a header: each call goes to a random server.
    pub fn new() -> Self {
        Self::default()
    }

    /// The header whose value is a call's key; several values are joined with commas. A
    /// call without the header, or with an empty value, goes to a random server.
    ///
    /// # Errors
    /// [`MetadataError`] if the name is not a valid metadata key or ends in `-bin`.
    pub fn request_hash_header(mut self, name: &str) -> Result<Self, MetadataError> {
        Metadata::new().append(name, "")?;
        self.header = (!name.is_empty()).then(|| name.into());
        Ok(self)
    }

    /// The least number of places on the ring. With more places, each server's share of the
    /// keys is closer to its weight. 1,024 unless set, at least 1.
    /// [`max_ring_size`](Self::max_ring_size) has precedence.
    #[must_use]
    pub fn min_ring_size(mut self, places: usize) -> Self {
        self.size.least = places.clamp(1, MOST_PLACES);
        self
    }

    /// The most places on the ring; each takes 16 bytes. 4,096 unless set; the range is 1
    /// to 8,388,608, and other values are raised or lowered to it.
    #[must_use]
    pub fn max_ring_size(mut self, places: usize) -> Self {
        self.size.most = places.clamp(1, MOST_PLACES);
        self
    }
}

impl Balance for RingHash {
    fn name(&self) -> &'static str {
        "ring_hash_experimental"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Hashed {
            options: self.clone(),
            members: Vec::new(),
            places: HashMap::new(),
            ring: Arc::default(),
            has_news: false,
            last_failure: None,
        })
    }
}

/// The policy of one channel.
#[derive(Debug)]
struct Hashed {
    options: RingHash,
    members: Vec<RingMember>,
    /// The index of each subchannel's endpoint, by subchannel number.
    places: HashMap<u64, usize>,
    ring: Arc<Ring>,
    /// What was published is out of date.
    has_news: bool,
    last_failure: Option<Status>,
}

/// One endpoint.
#[derive(Debug)]
struct RingMember {
    key: EndpointKey,
    seat: RingSeat,
    subchannel: Subchannel,
    state: RingMemberState,
}

/// A subchannel's state as the policy counts it: a failed one counts as failed until it is
/// ready.
#[derive(Clone, Debug)]
enum RingMemberState {
    /// The flag says whether it has been told to connect since it became idle.
    Idle(Arc<AtomicBool>),
    Connecting,
    Ready,
    Failed(Status),
}

impl RingMemberState {
    fn idle() -> Self {
        Self::Idle(Arc::default())
    }
}

/// Tells an idle subchannel to connect, once: an outdated picker must not shorten a
/// backoff. `true` if it was not told before.
fn wake(subchannel: &Subchannel, is_asked: &AtomicBool) -> bool {
    let is_first = !is_asked.swap(true, Ordering::Relaxed);
    if is_first {
        subchannel.connect();
    }
    is_first
}

impl Policy for Hashed {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        self.has_news = true;
        let before = std::mem::take(&mut self.members).into_iter();
        let mut before: HashMap<_, _> = before.map(|it| (it.key.clone(), it)).collect();
        let mut known: HashMap<EndpointKey, usize> = HashMap::new();
        for endpoint in resolved.endpoints {
            let key = endpoint.key();
            if key.is_empty() {
                continue;
            }
            let seat = RingSeat::of(&endpoint);
            // An endpoint that is listed twice has the sum of the weights.
            if let Some(member) = known.get(&key).and_then(|at| self.members.get_mut(*at)) {
                member.seat.weight = member.seat.weight.saturating_add(seat.weight);
                continue;
            }
            known.insert(key.clone(), self.members.len());
            let member = match before.remove(&key) {
                Some(member) => RingMember { seat, ..member },
                None => RingMember {
                    key,
                    seat,
                    subchannel: control.subchannel(endpoint),
                    state: RingMemberState::idle(),
                },
            };
            self.members.push(member);
        }
        for member in before.into_values() {
            control.remove(member.subchannel);
        }
        let members = self.members.iter().enumerate();
        self.places = members
            .map(|(place, member)| (member.subchannel.number(), place))
            .collect();
        let seats: Vec<_> = self
            .members
            .iter()
            .map(|member| member.seat.clone())
            .collect();
        self.ring = Arc::new(Ring::new(&seats, self.options.size));
        if self.members.is_empty() {
            let status = empty();
            self.last_failure = Some(status.clone());
            return Err(status);
        }
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, _control: &mut Control<'_>) {
        if self.members.is_empty() {
            self.last_failure = Some(status);
            self.has_news = true;
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let place = self.places.get(&subchannel.number());
        let Some(member) = place.and_then(|place| self.members.get_mut(*place)) else {
            return;
        };
        let has_failed = matches!(member.state, RingMemberState::Failed(_));
        match state {
            // It is tried again and again, and counts as failed meanwhile (gRFC A62).
            SubchannelState::Idle if has_failed => return member.subchannel.connect(),
            SubchannelState::Connecting if has_failed => return,
            SubchannelState::Idle => {
                if matches!(member.state, RingMemberState::Ready) {
                    control.resolve_again();
                }
                member.state = RingMemberState::idle();
            }
            SubchannelState::Connecting => member.state = RingMemberState::Connecting,
            SubchannelState::Ready(_) => member.state = RingMemberState::Ready,
            SubchannelState::TransientFailure(status) => {
                control.resolve_again();
                member.state = RingMemberState::Failed(status);
            }
        }
        self.has_news = true;
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<RingHash>();
        if let Some(options) = same {
            self.options = options.clone();
        }
        same.is_some()
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        if std::mem::take(&mut self.has_news) {
            self.publish(control);
        }
    }

    /// Connects one endpoint, since no call has a key here. Failed endpoints do not wait
    /// for their backoff.
    fn connect(&mut self, _control: &mut Control<'_>) {
        for member in &self.members {
            if let RingMemberState::Failed(_) = member.state {
                member.subchannel.connect();
            }
        }
        let is_ready = |member: &RingMember| matches!(member.state, RingMemberState::Ready);
        if !self.members.iter().any(is_ready) {
            self.connect_one();
        }
    }
}

impl Hashed {
    fn publish(&mut self, control: &mut Control<'_>) {
        if self.members.is_empty() {
            let status = self.last_failure.clone().unwrap_or_else(empty);
            return control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
        }
        let state = self.state();
        if let ConnectivityState::TransientFailure | ConnectivityState::Connecting = state {
            self.connect_one();
        }
        let members = self.members.iter();
        let picker = Walk {
            ring: Arc::clone(&self.ring),
            is_connecting: AtomicBool::new(self.is_connecting()),
            members: members
                .map(|member| (member.subchannel.clone(), member.state.clone()))
                .collect(),
            header: self.options.header.clone(),
            chance: Chance::default(),
        };
        control.publish(state, Picks::by(picker));
    }

    /// gRFC A42: two failed endpoints mean transient failure, since most are never tried.
    fn state(&self) -> ConnectivityState {
        let count = |is: fn(&RingMemberState) -> bool| {
            let members = self.members.iter();
            members.filter(|member| is(&member.state)).count()
        };
        let failed = count(|state| matches!(state, RingMemberState::Failed(_)));
        if count(|state| matches!(state, RingMemberState::Ready)) > 0 {
            ConnectivityState::Ready
        } else if failed >= 2 {
            ConnectivityState::TransientFailure
        } else if count(|state| matches!(state, RingMemberState::Connecting)) > 0
            || failed == 1 && self.members.len() > 1
        {
            ConnectivityState::Connecting
        } else if count(|state| matches!(state, RingMemberState::Idle(_))) > 0 {
            ConnectivityState::Idle
        } else {
            ConnectivityState::TransientFailure
        }
    }

    /// Whether an endpoint connects or was told to.
    fn is_connecting(&self) -> bool {
        self.members.iter().any(|member| match &member.state {
            RingMemberState::Idle(is_asked) => is_asked.load(Ordering::Relaxed),
            RingMemberState::Connecting => true,
            RingMemberState::Ready | RingMemberState::Failed(_) => false,
        })
    }

    /// Connects one idle endpoint unless one is connecting: while calls fail, no call
    /// would.
    fn connect_one(&self) {
        if self.is_connecting() {
            return;
        }
        for member in &self.members {
            if let RingMemberState::Idle(is_asked) = &member.state {
                wake(&member.subchannel, is_asked);
                return;
            }
        }
    }
}

/// The ring and the states of its endpoints.
struct Walk {
    ring: Arc<Ring>,
    members: Vec<(Subchannel, RingMemberState)>,
    /// An endpoint connects, or was told to by a call without a key.
    is_connecting: AtomicBool,
    header: Option<Arc<str>>,
    chance: Chance,
}

impl Picker for Walk {
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_> {
        match self.key(args.metadata()) {
            Some(key) => self.keyed(hash(0, key.as_bytes())),
            None => self.anywhere(self.random()),
        }
    }
}

impl Walk {
    fn key<'a>(&self, metadata: &'a Metadata) -> Option<Cow<'a, str>> {
        let mut values = metadata
            .get_all(self.header.as_deref()?)
            .filter_map(MetadataValue::as_str);
        let first = values.next()?;
        let key = values.fold(Cow::Borrowed(first), |key, value| {
            Cow::Owned(format!("{key},{value}"))
        });
        (!key.is_empty()).then_some(key)
    }

    fn random(&self) -> u64 {
        #[expect(clippy::cast_sign_loss, reason = "from 0 on")]
        let half = || (self.chance.next() * f64::from(u32::MAX)) as u64;
        half() << 32 | half()
    }

    fn members(&self, hash: u64) -> impl Iterator<Item = &(Subchannel, RingMemberState)> {
        self.ring
            .from(hash)
            .filter_map(|number| self.members.get(number))
    }

    /// The call goes to the first endpoint from its hash on that has not failed.
    fn keyed(&self, hash: u64) -> Pick<'_> {
        for (subchannel, state) in self.members(hash) {
            match state {
                RingMemberState::Ready => return Pick::Use(subchannel, None),
                RingMemberState::Idle(is_asked) => {
                    wake(subchannel, is_asked);
                    return Pick::Wait;
                }
                RingMemberState::Connecting => return Pick::Wait,
                RingMemberState::Failed(_) => {}
            }
        }
        self.failed(hash)
    }

    /// The call goes to the first ready endpoint. One idle endpoint on the way is told to
    /// connect, unless one is connecting.
    fn anywhere(&self, hash: u64) -> Pick<'_> {
        for (subchannel, state) in self.members(hash) {
            match state {
                RingMemberState::Ready => return Pick::Use(subchannel, None),
                RingMemberState::Idle(is_asked) => {
                    if !self.is_connecting.swap(true, Ordering::Relaxed) {
                        wake(subchannel, is_asked);
                    }
                }
                RingMemberState::Connecting | RingMemberState::Failed(_) => {}
            }
        }
        if self.is_connecting.load(Ordering::Relaxed) {
            return Pick::Wait;
        }
        self.failed(hash)
    }

    /// All have failed: the call fails with the error of the first endpoint from its hash
    /// on.
    fn failed(&self, hash: u64) -> Pick<'_> {
        match self.members(hash).next() {
            Some((_, RingMemberState::Failed(status))) => Pick::Fail(status.clone()),
            _ => Pick::Wait,
        }
    }
}

#[cfg(test)]
mod tests;
