//! `--service_config_json`. A channel of ours does what the policy `pick_first`
//! does: a configuration that asks for anything else must never be accepted and
//! ignored.

use serde_json::{Map, Value};

/// # Errors
/// It is no service configuration, or asks for what a channel does not do.
pub(crate) fn check(json: &str) -> Result<(), String> {
    let config: Map<String, Value> =
        serde_json::from_str(json).map_err(|error| format!("--service_config_json: {error}"))?;
    for (name, value) in &config {
        let done = match name.as_str() {
            // Of a list the first that is known counts.
            "loadBalancingConfig" => value.as_array().is_some_and(|policies| {
                policies
                    .iter()
                    .any(|policy| policy.get("pick_first") == Some(&Value::Object(Map::new())))
            }),
            "loadBalancingPolicy" => value == "pick_first",
            _ => false,
        };
        if !done {
            return Err(format!(
                "--service_config_json: a channel does not do `{name}: {value}`"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_a_channel_does_is_accepted_and_nothing_else() {
        for accepted in [
            "{}",
            r#"{"loadBalancingConfig": [{"xds": {}}, {"pick_first": {}}]}"#,
            r#"{"loadBalancingPolicy": "pick_first"}"#,
        ] {
            assert_eq!(check(accepted), Ok(()), "{accepted}");
        }
        for refused in [
            "",
            "[]",
            r#"{"loadBalancingConfig": [{"round_robin": {}}]}"#,
            r#"{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}"#,
            r#"{"methodConfig": []}"#,
        ] {
            let error = check(refused).unwrap_err();
            assert!(error.starts_with("--service_config_json: "), "{error}");
        }
    }
}
