//! A subscriber that remembers all that it is told, on the thread that it is set for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use grpc_runtime::tracing::field::{Field, Visit};
use grpc_runtime::tracing::span::{Attributes, Id, Record};
use grpc_runtime::tracing::subscriber::{DefaultGuard, set_default};
use grpc_runtime::tracing::{Event, Level, Subscriber};
use tokio::time::{sleep, timeout};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

pub(super) type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Debug)]
pub(super) struct RecordedSpan {
    pub(super) name: &'static str,
    pub(super) target: &'static str,
    pub(super) level: Level,
    pub(super) fields: Fields,
    /// Its place among all spans.
    pub(super) parent: Option<usize>,
    /// How often it was entered, and left.
    pub(super) entered: usize,
    pub(super) left: usize,
    pub(super) is_closed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct RecordedEvent {
    pub(super) target: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) fields: Fields,
    /// The span that it belongs to.
    pub(super) span: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) spans: Vec<RecordedSpan>,
    pub(super) events: Vec<RecordedEvent>,
}

/// Remembers what is of its level at least.
#[derive(Clone)]
pub(super) struct Recorder {
    records: Arc<Mutex<Records>>,
    level: Level,
}

impl Recorder {
    pub(super) fn set(level: Level) -> (Self, DefaultGuard) {
        let records = Arc::default();
        let recorder = Self { records, level };
        let guard = set_default(Registry::default().with(recorder.clone()));
        (recorder, guard)
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    /// All spans of this side, and where they stand, once there are so many and all of them
    /// are closed.
    pub(super) async fn closed(&self, kind: &str, number: usize) -> Vec<(usize, RecordedSpan)> {
        let of_side = || -> Vec<(usize, RecordedSpan)> {
            let spans = self.records().spans.clone().into_iter().enumerate();
            spans
                .filter(|(_, span)| span.fields.get("otel.kind").is_some_and(|it| it == kind))
                .collect()
        };
        let all = async {
            loop {
                let spans = of_side();
                if spans.len() >= number && spans.iter().all(|(_, span)| span.is_closed) {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let ended = timeout(BOUND, all).await;
        assert!(ended.is_ok(), "only {:?}", of_side());
        let spans = of_side();
        assert_eq!(spans.len(), number, "{spans:?}");
        for (_, span) in &spans {
            assert_eq!(span.entered, span.left, "{span:?}");
        }
        spans
    }

    /// The last of so many.
    pub(super) async fn last(&self, kind: &str, number: usize) -> RecordedSpan {
        self.closed(kind, number).await.remove(number - 1).1
    }

    /// The first event with this text.
    pub(super) async fn event(&self, text: &str) -> RecordedEvent {
        let find = || {
            let events = &self.records().events;
            events.iter().find(|event| event.text == text).cloned()
        };
        let told = async {
            loop {
                if let Some(event) = find() {
                    return event;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let Ok(event) = timeout(BOUND, told).await else {
            panic!("not {text} among {:?}", self.records().events);
        };
        event
    }

    /// The texts of all that was told within a span.
    pub(super) fn texts(&self, span: usize) -> Vec<String> {
        let records = self.records();
        let within = records.events.iter().filter(|it| it.span == Some(span));
        within.map(|event| event.text.clone()).collect()
    }
}

struct Place(usize);

struct Reads<'a>(&'a mut Fields);

impl Visit for Reads<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let before = self.0.insert(field.name(), value.to_owned());
        assert_eq!(before, None, "{field} is told twice");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _context: Context<'_, S>) -> bool {
        *metadata.level() <= self.level
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent();
        let parent = parent.and_then(|it| it.extensions().get::<Place>().map(|place| place.0));
        let mut fields = Fields::new();
        attributes.record(&mut Reads(&mut fields));
        let metadata = attributes.metadata();
        let mut records = self.records();
        span.extensions_mut().insert(Place(records.spans.len()));
        records.spans.push(RecordedSpan {
            name: metadata.name(),
            target: metadata.target(),
            level: *metadata.level(),
            fields,
            parent,
            entered: 0,
            left: 0,
            is_closed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.with(id, &context, |span| {
            values.record(&mut Reads(&mut span.fields));
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let span = context.event_span(event);
        let span = span.and_then(|it| it.extensions().get::<Place>().map(|place| place.0));
        let mut fields = Fields::new();
        event.record(&mut Reads(&mut fields));
        let text = fields.remove("message").unwrap_or_default();
        self.records().events.push(RecordedEvent {
            target: event.metadata().target(),
            level: *event.metadata().level(),
            text,
            fields,
            span,
        });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.with(id, &context, |span| span.entered += 1);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.with(id, &context, |span| span.left += 1);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.with(&id, &context, |span| {
            assert!(!std::mem::replace(&mut span.is_closed, true));
        });
    }
}

impl Recorder {
    fn with<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        change: impl FnOnce(&mut RecordedSpan),
    ) {
        let span = context.span(id).unwrap();
        let place = span.extensions().get::<Place>().unwrap().0;
        change(&mut self.records().spans[place]);
    }
}
