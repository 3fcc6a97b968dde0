//! Tests of `core.rs` with service configs.

use std::sync::Arc;
use std::time::Duration;

use super::around::{Around, code, nothing_said};
use crate::channel::balance::bench::{endpoints, failure};
use crate::channel::balance::round_robin::RoundRobin;
use crate::channel::call::open_call::Further;
use crate::channel::call::trial::{Trial, home};
use crate::channel::config::method_config::{MethodConfig, RepeatPolicy};
use crate::channel::config::retry_policy::{RetryPolicy, RetryThrottling};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::Ask;
use crate::channel::pick::Picks;
use crate::channel::resolve::resolution::Resolution;
use crate::channel::service_config::builder::ServiceConfigBuilder;
use crate::channel::service_config::content::ServiceConfig;
use crate::channel::service_config::in_force::Configs;
use crate::channel::service_config::terms::Standing;
use crate::method::Method;
use crate::status::{Code, Status};

const METHOD: Method = Method::unary("/a.B/C");

fn all(config: MethodConfig) -> ServiceConfig {
    ServiceConfig::builder().all(config).build().unwrap()
}

fn seconds(seconds: u64) -> ServiceConfig {
    all(MethodConfig::new().timeout(Duration::from_secs(seconds)))
}

fn built(builder: ServiceConfigBuilder) -> ServiceConfig {
    builder.build().unwrap()
}

impl Around {
    /// A core whose resolver has no result yet.
    fn asking() -> Self {
        Self::said(nothing_said(), true)
    }

    /// The resolver's result: servers and config.
    fn found(
        &mut self,
        names: &str,
        config: Option<Result<ServiceConfig, Status>>,
    ) -> Result<(), Status> {
        let mut found = Resolution::new(endpoints(names));
        if let Some(config) = config {
            found = found.service_config(config);
        }
        let verdict = self.core.resolved(found, self.now);
        self.turn();
        verdict
    }

    /// The timeout in force.
    fn timeout(&self) -> String {
        if !self.standing.is_known() {
            return "unknown".to_owned();
        }
        let timeout = timeout_of(&self.standing);
        timeout.map_or("none".to_owned(), |timeout| format!("{timeout:?}"))
    }

    /// A call that began before the config was known.
    fn early_call(&mut self) -> Trial {
        let (trial, mut open) = Trial::call(false, None);
        open.await_config(self.now, home());
        let users = self.users.as_ref().unwrap();
        assert!(users.send(Ask::Open(open)).is_ok());
        self.turn();
        trial
    }
}

fn timeout_of(standing: &Standing) -> Option<Duration> {
    standing.terms()?.of(&METHOD)?.config?.timeout
}

fn bad() -> Result<ServiceConfig, Status> {
    Err(failure("methodConfig: it is bad"))
}

#[test]
fn resolver_a_bad_config_first_fails_calls_until_a_good_one_heals() {
    let mut around = Around::asking();
    let (impatient, patient) = (around.call(false), around.call(true));
    let verdict = around.found("1", Some(bad())).unwrap_err();
    assert_eq!(verdict.message(), "methodConfig: it is bad");
    assert_eq!(around.heard(), "", "the servers are not used");
    assert_eq!(around.published, [ConnectivityState::TransientFailure]);
    let failed = impatient.failure().unwrap();
    assert_eq!(failed.code(), Code::Unavailable);
    assert_eq!(failed.message(), "methodConfig: it is bad");
    assert!(patient.failure().is_none());
    assert_eq!(around.timeout(), "unknown");

    around.found("1", Some(Ok(seconds(5)))).unwrap();
    assert_eq!(around.heard(), "list 1");
    assert_eq!(around.timeout(), "5s");
    let names = endpoints("1").remove(0);
    around.act(move |control| {
        control.subchannel(names);
    });
    around.ready("1");
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    assert_eq!(around.asked("1").0, "open");
}

#[test]
fn resolver_a_bad_config_after_a_good_one_changes_the_servers_alone() {
    let mut around = Around::asking();
    around.found("1", Some(Ok(seconds(5)))).unwrap();
    let verdict = around.found("2", Some(bad())).unwrap_err();
    assert_eq!(verdict.message(), "methodConfig: it is bad");
    assert_eq!(around.heard(), "list 1, list 2");
    assert_eq!(around.timeout(), "5s");
    // No config is a valid result.
    around.found("3", None).unwrap();
    assert_eq!(around.timeout(), "none");
    around.found("4", Some(bad())).unwrap_err();
    assert_eq!(around.timeout(), "none");
    assert_eq!(around.heard(), "list 3, list 4");
    // The policy's verdict has precedence.
    let verdict = around.found("", Some(bad())).unwrap_err();
    assert_eq!(verdict.message(), "of no use");
}

#[test]
fn resolver_the_default_is_for_none_and_never_for_an_error() {
    let said = || Configs {
        default: Some(seconds(7)),
        ..nothing_said()
    };
    let mut around = Around::said(said(), true);
    around.found("1", Some(bad())).unwrap_err();
    assert_eq!(around.timeout(), "unknown");
    around.found("1", None).unwrap();
    assert_eq!(around.timeout(), "7s");
    around.found("1", Some(Ok(seconds(5)))).unwrap();
    assert_eq!(around.timeout(), "5s");
    around.found("1", Some(bad())).unwrap_err();
    assert_eq!(around.timeout(), "5s");
    // The runtime's resolvers find none, which is known at once.
    let first = said().at_first(false);
    assert_eq!(timeout_of(&first), Some(Duration::from_secs(7)));
}

#[test]
fn resolver_is_not_heard_where_the_builder_has_the_last_word() {
    let said = Configs {
        own: Some(seconds(7)),
        default: Some(seconds(8)),
        ..nothing_said()
    };
    let first = said.at_first(true);
    assert_eq!(timeout_of(&first), Some(Duration::from_secs(7)));
    let mut around = Around::said(said, true);
    around.found("1", Some(Ok(seconds(5)))).unwrap();
    around.found("2", Some(bad())).unwrap();
    assert_eq!(around.timeout(), "unknown", "nothing has changed");
}

#[test]
fn resolver_a_config_that_looks_like_a_servers_verdict_is_internal() {
    let mut around = Around::asking();
    let call = around.call(false);
    let config = Err(Status::new(Code::NotFound, "no such file"));
    let verdict = around.found("1", Some(config)).unwrap_err();
    assert_eq!(verdict.code(), Code::Internal);
    assert_eq!(code(&call), Some(Code::Internal));
}

#[test]
fn the_configs_policy_goes_before_the_builders() {
    let mut around = Around::asking();
    let config = built(ServiceConfig::builder().balance(RoundRobin::new()));
    around.found("1 2", Some(Ok(config))).unwrap();
    assert_eq!(around.heard(), "");
    assert_eq!(around.subchannels.len(), 2);
    for name in ["1", "2"] {
        assert_eq!(around.asked(name).0, "connect");
    }
    around.ready("1");
    // A config without a policy leaves the choice to the builder: the old policy serves
    // meanwhile.
    around.found("1 2", None).unwrap();
    assert_eq!(around.heard(), "list 1+2");
    assert_eq!(around.asked("1").0, "");
    around.publish(Picks::wait());
    assert_eq!(around.asked("1").0, "remove");
    assert_eq!(around.asked("2").0, "remove");
}

/// The same JSON text means the same config, though it is read again.
#[cfg(feature = "service-config")]
#[test]
fn the_same_text_is_the_same_policy() {
    let mut around = Around::said(
        Configs {
            balance: Arc::new(crate::channel::balance::pick_first::PickFirst::new()),
            ..nothing_said()
        },
        true,
    );
    let json = r#"{"loadBalancingConfig": [{"round_robin": {}}]}"#;
    let config = || Some(ServiceConfig::from_json(json).map_err(Status::from));
    around.found("1", config()).unwrap();
    let first = around.core.config.balance();
    around.found("1", config()).unwrap();
    around.found("1", config()).unwrap();
    assert!(Arc::ptr_eq(&first, &around.core.config.balance()));
}

#[test]
fn calls_that_began_before_the_config_was_known_are_held_to_it() {
    let mut around = Around::asking();
    let early = around.early_call();
    assert!(early.failure().is_none());
    assert_eq!(around.core.next_timeout(), None);
    let start = around.now;
    around.now += Duration::from_secs(2);
    let config = MethodConfig::new()
        .timeout(Duration::from_secs(5))
        .wait_for_ready(true)
        .retry(RetryPolicy::new([Code::Unavailable]))
        .max_response_message_size(10);
    around.found("1", Some(Ok(all(config)))).unwrap();
    let deadline = start + Duration::from_secs(5);
    assert_eq!(around.core.next_timeout(), Some(deadline));
    // The call now waits for readiness.
    around.publish(Picks::fail(failure("refused")));
    assert!(early.failure().is_none());
    around.act(|control| {
        let sole = control.sole_subchannel(endpoints("1")[0].destinations().collect());
        control.publish(ConnectivityState::Ready, Picks::one(&sole));
    });
    let (asked, opens) = around.asked("1");
    assert_eq!(asked, "open");
    let open = &opens[0];
    assert_eq!(open.options.deadline, Some(deadline));
    assert_eq!(open.options.limits.max_receive_message_size, 10);
    assert!(matches!(open.further, Some(Further::First(_))));
    assert_eq!(around.core.next_timeout(), None);

    around.publish(Picks::wait());
    let late = around.early_call();
    around.now += Duration::from_secs(5);
    around.core.on_timeout(around.now);
    assert_eq!(code(&late), Some(Code::DeadlineExceeded));
}

#[test]
fn a_request_that_turns_out_too_large_fails() {
    let mut around = Around::asking();
    let (trial, mut open) = Trial::call(true, None);
    open.await_config(around.now, home());
    open.request = Some(bytes::Bytes::from_static(&[0; 5 + 4]));
    let users = around.users.as_ref().unwrap();
    assert!(users.send(Ask::Open(open)).is_ok());
    let config = MethodConfig::new().max_request_message_size(3);
    around.turn();
    around.found("1", Some(Ok(all(config)))).unwrap();
    let failed = trial.failure().unwrap();
    assert_eq!(failed.code(), Code::ResourceExhausted);
}

#[test]
fn idempotent_methods_have_the_channels_retries_where_no_config_has_some() {
    let usual = Arc::new(RepeatPolicy::Retry(RetryPolicy::new([Code::Unavailable])));
    let own = RetryPolicy::new([Code::Aborted]);
    let config = ServiceConfig::builder()
        .method(
            "a.B",
            "Timed",
            MethodConfig::new().timeout(Duration::from_secs(1)),
        )
        .method("a.B", "Own", MethodConfig::new().retry(own))
        .retry_throttling(RetryThrottling::new(10.0, 0.1));
    let said = Configs {
        own: Some(built(config)),
        repeats: Some(Arc::clone(&usual)),
        ..nothing_said()
    };
    let standing = said.at_first(true);
    let terms = standing.terms().unwrap();
    let of = |path| terms.of(&Method::unary(path).idempotent());
    let repeats = |path| of(path).unwrap().repeats.unwrap();
    assert!(Arc::ptr_eq(repeats("/a.B/Any"), &usual));
    assert!(Arc::ptr_eq(repeats("/a.B/Timed"), &usual));
    let timed = of("/a.B/Timed").unwrap().config.unwrap();
    assert!(timed.timeout.is_some());
    assert!(!Arc::ptr_eq(repeats("/a.B/Own"), &usual));
    let counted = terms.of(&Method::unary("/a.B/Any")).unwrap();
    assert!(counted.is_counted && counted.repeats.is_none() && counted.config.is_none());
    assert!(terms.retry_throttling().is_some());
    // Also without any config.
    let said = Configs {
        repeats: Some(usual),
        ..nothing_said()
    };
    let standing = said.at_first(false);
    let terms = standing.terms().unwrap();
    assert!(terms.of(&METHOD).is_none() && terms.of(&METHOD.idempotent()).is_some());
    assert!(matches!(nothing_said().at_first(false), Standing::None));
}
