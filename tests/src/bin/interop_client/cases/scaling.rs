//! Further connections to a server that permits two calls on each (gRFC A105).

use crate::client::{Client, payload};
use crate::failure::{Failure, equal};
use crate::{BoolValue, ResponseParameters, StreamingOutputCallRequest};

/// The official service config of this case.
pub(crate) const SERVICE_CONFIG: &str =
    r#"{"connectionScaling":{"maxConnectionsPerSubchannel":2}}"#;

/// The first two of three open calls share a connection, and the third has another.
pub(super) async fn connections(client: &Client) -> Result<(), Failure> {
    let mut open = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let (mut requests, mut responses) = client.full_duplex().start();
        let request = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters {
                size: 1,
                fill_peer_socket_address: Some(BoolValue { value: true }),
                ..ResponseParameters::default()
            }],
            payload: Some(payload(1)),
            ..StreamingOutputCallRequest::default()
        };
        requests.send(request).await?;
        let Some(response) = responses.next().await? else {
            return Err("the server ended the call in place of an answer".into());
        };
        addresses.push(response.peer_socket_address);
        open.push((requests, responses));
    }
    equal("the second call's address", &addresses[1], &addresses[0])?;
    if addresses[2] == addresses[0] {
        return Err(format!("the third call's address is the first's: {}", addresses[0]).into());
    }
    for (requests, mut responses) in open {
        requests.finish();
        equal("what is left of a call", &responses.next().await?, &None)?;
    }
    Ok(())
}
