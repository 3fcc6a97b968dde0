//! One stream's requests and their responses. A name that is not found is a response, not the
//! stream's end.

use std::sync::Arc;

use bytes::Bytes;
use grpc_runtime::{Code, Status};

use super::descriptions::{Descriptions, FileId};
use crate::proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use crate::proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use crate::proto::grpc::reflection::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

/// The most characters of a client's own text that an error repeats.
const EXCERPT: usize = 200;

/// The state of one stream: files that it has received are not sent again.
#[derive(Debug)]
pub(super) struct Conversation {
    known: Arc<Descriptions>,
    /// The full names of the services that the server has, in their order.
    served: Vec<&'static str>,
    /// By file.
    sent: Vec<bool>,
}

impl Conversation {
    /// One at a server that has these services.
    pub(super) fn new(known: Arc<Descriptions>, served: &[&'static str]) -> Self {
        let mut served = served.to_vec();
        served.sort_unstable();
        let sent = vec![false; known.count()];
        Self {
            known,
            served,
            sent,
        }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// Fails with `INVALID_ARGUMENT` for a request without a query.
    pub(super) fn answer(
        &mut self,
        request: ServerReflectionRequest,
    ) -> Result<ServerReflectionResponse, Status> {
        let question = request.message_request.as_ref();
        let answer = match question.ok_or_else(nothing_asked)? {
            MessageRequest::FileByFilename(name) => {
                let file = self.known.file(name);
                self.files(file, || format!("no file '{}' here", excerpt(name)))
            }
            MessageRequest::FileContainingSymbol(symbol) => {
                let file = self.known.declaring(symbol);
                let is_served = self.served.contains(&symbol.as_str());
                self.files(file, || {
                    if is_served {
                        format!(
                            "'{symbol}' is served here, but its descriptors were not given to \
                             the server's reflection"
                        )
                    } else {
                        format!("nothing is declared as '{}' here", excerpt(symbol))
                    }
                })
            }
            MessageRequest::FileContainingExtension(asked) => {
                let (extended, number) = (&asked.containing_type, asked.extension_number);
                let file = self.known.extending(extended, number);
                self.files(file, || {
                    let extended = excerpt(extended);
                    format!("no extension of '{extended}' with number {number} here")
                })
            }
            MessageRequest::AllExtensionNumbersOfType(extended) => {
                match self.known.extension_numbers(extended) {
                    Some(extension_number) => {
                        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                            base_type_name: extended.clone(),
                            extension_number,
                        })
                    }
                    None => missing(format!("no message '{}' here", excerpt(extended))),
                }
            }
            MessageRequest::ListServices(_) => self.services(),
        };
        Ok(ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(answer),
        })
    }

    fn services(&self) -> MessageResponse {
        let names = self.served.iter();
        let service = names
            .map(|name| ServiceResponse {
                name: (*name).to_owned(),
            })
            .collect();
        MessageResponse::ListServicesResponse(ListServiceResponse { service })
    }

    fn files(&mut self, file: Option<FileId>, miss: impl FnOnce() -> String) -> MessageResponse {
        match file {
            Some(file) => MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
                file_descriptor_proto: self.closure(file),
            }),
            None => missing(miss()),
        }
    }

    /// The file, and all that it imports as far as the stream has not had it. Whatever was
    /// sent, all that it imports was sent with it.
    fn closure(&mut self, file: FileId) -> Vec<Bytes> {
        self.sent[file] = true;
        let mut files = vec![file];
        let mut next = 0;
        while let Some(&file) = files.get(next) {
            for &import in self.known.imports(file) {
                if !std::mem::replace(&mut self.sent[import], true) {
                    files.push(import);
                }
            }
            next += 1;
        }
        files.iter().map(|&file| self.known.bytes(file)).collect()
    }
}

fn missing(error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: Code::NotFound.as_i32(),
        error_message,
    })
}

fn nothing_asked() -> Status {
    Status::invalid_argument(
        "the request has none of the fields of message_request that this server knows",
    )
}

/// The beginning of a client's text, for an error message.
fn excerpt(text: &str) -> &str {
    let end = text.char_indices().nth(EXCERPT);
    end.map_or(text, |(end, _)| &text[..end])
}
