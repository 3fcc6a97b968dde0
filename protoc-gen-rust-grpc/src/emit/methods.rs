//! The module of a service's names: what stub and server share, so that no
//! path is written twice.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, docs, ident};
use crate::model::{Service, Shape};

pub(super) fn emit(service: &Service) -> TokenStream {
    let module = ident(&service.module.name);
    let full_name = &service.full_name;
    let constants = service.methods.iter().map(|method| {
        let path = &method.path;
        let docs = docs(&[], &format!("`{path}`"));
        let name = ident(&method.constant);
        let shape = ident(match method.shape {
            Shape {
                client_streams: false,
                server_streams: false,
            } => "UNARY",
            Shape {
                client_streams: false,
                server_streams: true,
            } => "SERVER_STREAMING",
            Shape {
                client_streams: true,
                server_streams: false,
            } => "CLIENT_STREAMING",
            Shape {
                client_streams: true,
                server_streams: true,
            } => "BIDI_STREAMING",
        });
        quote! {
            #docs
            pub const #name: ::grpc_runtime::Method =
                ::grpc_runtime::Method::new(#path, ::grpc_runtime::Shape::#shape);
        }
    });
    let docs = docs(&[], &format!("The methods of `{full_name}`."));
    let attributes = attributes(service, &service.module, &docs);
    quote! {
        #attributes
        pub mod #module {
            /// The full name of the service, as it stands in every request's path.
            pub const NAME: &str = #full_name;
            #(#constants)*
        }
    }
}
