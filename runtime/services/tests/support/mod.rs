//! Descriptor sets made by hand, and a client that asks for them.

#![allow(dead_code, reason = "no test uses all of it")]

use bytes::Bytes;
use grpc_runtime::prost::Message;
use grpc_runtime::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, OneofDescriptorProto,
    ServiceDescriptorProto,
};
use grpc_runtime::{
    BidiStreamingCall, Channel, Method, Receiver, Sender, Server, ServerBuilder, Status,
};
use grpc_services::Reflection;
use grpc_services::proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use grpc_services::proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use grpc_services::proto::grpc::reflection::v1::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse, server_reflection,
};
use grpc_services::proto::grpc::reflection::v1alpha;

pub(crate) const V1: Method = server_reflection::SERVER_REFLECTION_INFO;
pub(crate) const V1ALPHA: Method = v1alpha::server_reflection::SERVER_REFLECTION_INFO;

/// NOT_FOUND
pub(crate) const MISSING: i32 = 5;

/// A file of the package `shop`.
pub(crate) fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("shop".to_owned()),
        dependency: imports.iter().map(|&import| import.to_owned()).collect(),
        syntax: Some("proto2".to_owned()),
        ..FileDescriptorProto::default()
    }
}

pub(crate) fn message(name: &str) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        ..DescriptorProto::default()
    }
}

pub(crate) fn field(name: &str, number: i32) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(1),
        r#type: Some(5),
        ..FieldDescriptorProto::default()
    }
}

pub(crate) fn extension(of: &str, name: &str, number: i32) -> FieldDescriptorProto {
    FieldDescriptorProto {
        extendee: Some(of.to_owned()),
        ..field(name, number)
    }
}

pub(crate) fn enumeration(name: &str, value: &str) -> EnumDescriptorProto {
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: vec![EnumValueDescriptorProto {
            name: Some(value.to_owned()),
            number: Some(0),
            ..EnumValueDescriptorProto::default()
        }],
        ..EnumDescriptorProto::default()
    }
}

pub(crate) fn oneof(name: &str) -> OneofDescriptorProto {
    OneofDescriptorProto {
        name: Some(name.to_owned()),
        ..OneofDescriptorProto::default()
    }
}

pub(crate) fn service(name: &str, method: &str) -> ServiceDescriptorProto {
    ServiceDescriptorProto {
        name: Some(name.to_owned()),
        method: vec![MethodDescriptorProto {
            name: Some(method.to_owned()),
            input_type: Some(".shop.Order".to_owned()),
            output_type: Some(".shop.Order".to_owned()),
            ..MethodDescriptorProto::default()
        }],
        ..ServiceDescriptorProto::default()
    }
}

pub(crate) fn set(files: impl IntoIterator<Item = FileDescriptorProto>) -> Bytes {
    let file = files.into_iter().collect();
    FileDescriptorSet { file }.encode_to_vec().into()
}

/// A set of files that are encoded already.
pub(crate) fn raw_set(files: &[Vec<u8>]) -> Bytes {
    let mut set = Vec::new();
    for file in files {
        grpc_runtime::prost::encoding::bytes::encode(1, file, &mut set);
    }
    set.into()
}

pub(crate) fn orders() -> FileDescriptorProto {
    FileDescriptorProto {
        message_type: vec![DescriptorProto {
            field: vec![field("id", 1), field("by_card", 2), field("by_cash", 3)],
            oneof_decl: vec![oneof("paid")],
            nested_type: vec![DescriptorProto {
                enum_type: vec![enumeration("Unit", "PIECE")],
                nested_type: vec![message("Note")],
                extension: vec![extension(".shop.Order", "nested_extra", 102)],
                ..message("Line")
            }],
            ..message("Order")
        }],
        enum_type: vec![enumeration("State", "STATE_OPEN")],
        service: vec![service("Orders", "Get")],
        ..file("shop/orders.proto", &["shop/money.proto"])
    }
}

pub(crate) fn money() -> FileDescriptorProto {
    FileDescriptorProto {
        message_type: vec![message("Money")],
        ..file("shop/money.proto", &["shop/base.proto"])
    }
}

pub(crate) fn base() -> FileDescriptorProto {
    FileDescriptorProto {
        message_type: vec![message("Base")],
        ..file("shop/base.proto", &[])
    }
}

pub(crate) fn extras() -> FileDescriptorProto {
    FileDescriptorProto {
        extension: vec![
            extension(".shop.Order", "late", 500),
            extension(".shop.Order", "early", 101),
        ],
        ..file(
            "shop/extras.proto",
            &["shop/orders.proto", "shop/base.proto"],
        )
    }
}

/// All of the shop.
pub(crate) fn shop() -> Bytes {
    set([base(), money(), orders(), extras()])
}

pub(crate) fn serve(sets: impl IntoIterator<Item = Bytes>) -> ServerBuilder {
    let reflection = Reflection::new(sets).unwrap();
    Server::builder().add_services(reflection.services())
}

/// A stream of questions.
pub(crate) struct Asking {
    requests: Sender<ServerReflectionRequest>,
    replies: Receiver<ServerReflectionResponse>,
}

impl Asking {
    pub(crate) fn at(server: ServerBuilder) -> Self {
        Self::over(&Channel::in_process(server).unwrap(), V1)
    }

    pub(crate) fn over(channel: &Channel, method: Method) -> Self {
        let (requests, replies) = BidiStreamingCall::new(channel, method).start();
        Self { requests, replies }
    }

    pub(crate) async fn ask(
        &mut self,
        question: Option<MessageRequest>,
    ) -> Result<MessageResponse, Status> {
        let request = ServerReflectionRequest {
            host: "shop.example".to_owned(),
            message_request: question,
        };
        self.requests.send(request.clone()).await?;
        let response = self.replies.next().await?.unwrap();
        assert_eq!(response.valid_host, "shop.example");
        assert_eq!(response.original_request, Some(request));
        Ok(response.message_response.unwrap())
    }

    /// How the stream ends, without another question.
    pub(crate) async fn end(&mut self) -> Status {
        self.replies.next().await.unwrap_err()
    }

    /// The names of the files in an answer, or its error's code and text.
    pub(crate) async fn names(
        &mut self,
        question: MessageRequest,
    ) -> Result<Vec<String>, (i32, String)> {
        let files = self.files(question).await?;
        let name = |file: &Bytes| FileDescriptorProto::decode(file.clone()).unwrap().name;
        Ok(files.iter().map(|file| name(file).unwrap()).collect())
    }

    pub(crate) async fn files(
        &mut self,
        question: MessageRequest,
    ) -> Result<Vec<Bytes>, (i32, String)> {
        match self.ask(Some(question)).await.unwrap() {
            MessageResponse::FileDescriptorResponse(told) => Ok(told.file_descriptor_proto),
            MessageResponse::ErrorResponse(told) => Err((told.error_code, told.error_message)),
            other => panic!("no files: {other:?}"),
        }
    }

    pub(crate) async fn numbers(&mut self, of: &str) -> Result<Vec<i32>, (i32, String)> {
        let question = MessageRequest::AllExtensionNumbersOfType(of.to_owned());
        match self.ask(Some(question)).await.unwrap() {
            MessageResponse::AllExtensionNumbersResponse(told) => {
                assert_eq!(told.base_type_name, of);
                Ok(told.extension_number)
            }
            MessageResponse::ErrorResponse(told) => Err((told.error_code, told.error_message)),
            other => panic!("no numbers: {other:?}"),
        }
    }

    pub(crate) async fn services(&mut self) -> Vec<String> {
        let question = MessageRequest::ListServices("whatever".to_owned());
        match self.ask(Some(question)).await.unwrap() {
            MessageResponse::ListServicesResponse(told) => {
                told.service.into_iter().map(|it| it.name).collect()
            }
            other => panic!("no services: {other:?}"),
        }
    }
}

pub(crate) fn named(file: &str) -> MessageRequest {
    MessageRequest::FileByFilename(file.to_owned())
}

pub(crate) fn declaring(symbol: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(symbol.to_owned())
}

pub(crate) fn extending(containing_type: &str, extension_number: i32) -> MessageRequest {
    MessageRequest::FileContainingExtension(ExtensionRequest {
        containing_type: containing_type.to_owned(),
        extension_number,
    })
}
