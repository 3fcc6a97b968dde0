//! Finds the series of a method, without a lock after the first time. The number of names is
//! bounded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use grpc_runtime::Method;

use super::labels::{Labels, OTHER, TargetLabels};
use super::method_series::{CallInstruments, MethodSeries};
use super::table::{Table, hash, mix};

/// How many methods of a target have a name, and how many targets; others are `other`.
pub(crate) const NAMES: usize = 1_000;

/// How many of them clients may make up, and how long their paths may be, in bytes.
const MADE_UP: usize = 200;
const PATH: usize = 256;

/// The methods of a server, or of the channels of one target.
pub(crate) struct Methods {
    /// Static strings do not move: these are found by their address.
    by_address: Table<(&'static str, Arc<MethodSeries>)>,
    /// Methods whose label is `other`. If the table is full, such a method is looked up by
    /// its name each time.
    nameless: Table<&'static str>,
    by_name: Mutex<HashMap<Box<str>, Arc<MethodSeries>>>,
    /// How many of the names clients have made up.
    made_up: AtomicUsize,
    target: Option<Arc<TargetLabels>>,
    other: OnceLock<Arc<MethodSeries>>,
}

impl Methods {
    pub(crate) fn of(target: Option<TargetLabels>) -> Self {
        Self {
            by_address: Table::new(),
            nameless: Table::new(),
            by_name: Mutex::default(),
            made_up: AtomicUsize::new(0),
            target: target.map(Arc::new),
            other: OnceLock::new(),
        }
    }

    /// The value of `grpc.target`: the target, or `other`.
    pub(crate) fn target(&self) -> &str {
        self.target.as_ref().map_or(OTHER, |target| &target.name)
    }

    /// A method of the program's.
    #[inline]
    pub(crate) fn find(&self, method: Method) -> &MethodSeries {
        let path = method.path();
        let hash = mix(path.as_ptr().addr() as u64);
        let is_it = |(other, _): &(&str, _)| std::ptr::eq(*other, path);
        match self.by_address.find(hash, is_it) {
            Some((_, series)) => series,
            None => self.meet(path, hash),
        }
    }

    #[cold]
    fn meet(&self, path: &'static str, hash: u64) -> &MethodSeries {
        let is_it = |other: &&str| std::ptr::eq(*other, path);
        if self.nameless.find(hash, is_it).is_some() {
            return self.other();
        }
        let series = if path == Method::UNKNOWN.path() {
            Arc::clone(self.other())
        } else {
            self.named(path)
        };
        if Arc::ptr_eq(&series, self.other()) {
            self.nameless.insert(hash, is_it, path);
            return self.other();
        }
        let is_it = |(other, _): &(&str, _)| std::ptr::eq(*other, path);
        let inserted = self.by_address.insert(hash, is_it, (path, series));
        inserted.map_or_else(|| &**self.other(), |(_, series)| series)
    }

    /// A method that a client may have made up: such take no more than a part of the places.
    pub(crate) fn made_up(&self, path: &str) -> Arc<MethodSeries> {
        let is_there = path.len() <= PATH && {
            let name = path.strip_prefix('/').unwrap_or(path);
            let by_name = self.by_name.lock();
            let by_name = by_name.unwrap_or_else(PoisonError::into_inner);
            by_name.contains_key(name) || self.made_up.fetch_add(1, Ordering::Relaxed) < MADE_UP
        };
        if is_there {
            self.named(path)
        } else {
            Arc::clone(self.other())
        }
    }

    /// A method by its path.
    fn named(&self, path: &str) -> Arc<MethodSeries> {
        let name = path.strip_prefix('/').unwrap_or(path);
        let by_name = self.by_name.lock();
        let mut by_name = by_name.unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = by_name.get(name) {
            return Arc::clone(series);
        }
        if by_name.len() == NAMES {
            return Arc::clone(self.other());
        }
        let series = Arc::new(self.make(Some(name.into())));
        by_name.insert(name.into(), Arc::clone(&series));
        series
    }

    /// All methods that have no name here.
    pub(crate) fn other(&self) -> &Arc<MethodSeries> {
        self.other.get_or_init(|| Arc::new(self.make(None)))
    }

    fn make(&self, method: Option<Box<str>>) -> MethodSeries {
        MethodSeries::new(Labels {
            method,
            target: self.target.clone(),
        })
    }
}

/// The targets of the channels.
pub(crate) struct Targets {
    /// The first target, and the only one of most programs: it is found without a hash.
    first: OnceLock<(Box<str>, Arc<Methods>)>,
    all: Table<(Box<str>, Arc<Methods>)>,
    /// How many have names.
    named: AtomicUsize,
    /// Targets whose label is `other`. If the table is full, the filter is called again for
    /// such a target.
    nameless: Table<Arc<str>>,
    other: OnceLock<Arc<Methods>>,
}

impl Targets {
    pub(crate) fn new() -> Self {
        Self {
            first: OnceLock::new(),
            all: Table::new(),
            named: AtomicUsize::new(0),
            nameless: Table::new(),
            other: OnceLock::new(),
        }
    }

    /// The methods of the channels of this target; one that is new has its name if
    /// `is_named`.
    #[inline]
    pub(crate) fn find(&self, target: &str, is_named: impl FnOnce(&str) -> bool) -> &Methods {
        if let Some((first, methods)) = self.first.get()
            && **first == *target
        {
            return methods;
        }
        let hash = hash(target);
        match self.all.find(hash, |(other, _)| **other == *target) {
            Some((_, methods)) => methods,
            None => self.meet(target, hash, is_named),
        }
    }

    #[cold]
    fn meet(&self, target: &str, hash: u64, is_named: impl FnOnce(&str) -> bool) -> &Methods {
        let is_it = |other: &Arc<str>| **other == *target;
        if self.nameless.find(hash, is_it).is_some() {
            return self.other();
        }
        if !is_named(target) || self.named.fetch_add(1, Ordering::Relaxed) >= NAMES {
            self.nameless.insert(hash, is_it, target.into());
            return self.other();
        }
        let methods = Arc::new(Methods::of(Some(TargetLabels::of(target))));
        let is_it = |(other, _): &(Box<str>, _)| **other == *target;
        let inserted = self.all.insert(hash, is_it, (target.into(), methods));
        let Some((_, methods)) = inserted else {
            return self.other();
        };
        let _ = self.first.set((target.into(), Arc::clone(methods)));
        methods
    }

    fn other(&self) -> &Arc<Methods> {
        let make = || Arc::new(Methods::of(Some(TargetLabels::other())));
        self.other.get_or_init(make)
    }
}

/// One side: its instruments, and what they count.
pub(crate) struct Directory<N> {
    pub(crate) instruments: CallInstruments,
    pub(crate) names: N,
}
