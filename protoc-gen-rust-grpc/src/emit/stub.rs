//! The client's side: a stub, whose methods are one line each over the runtime's four kinds
//! of call. The only item that is not a method of the service is `new`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs, ident, lints, type_path, user_attributes};
use crate::error::Error;
use crate::model::{Method, Service, Shape};

pub(super) fn emit(service: &Service, cfg: &TokenStream) -> Result<TokenStream, Error> {
    let stub = ident(&service.stub.name);
    let otherwise = format!("A client of `{}`.", service.full_name);
    let attributes = attributes(service, &service.stub, &docs(&service.docs, &otherwise));
    let given = user_attributes(&service.stub.attributes)?;
    let deprecated = deprecated(service.deprecated);
    let lints = lints(Some(service));
    let methods = service
        .methods
        .iter()
        .map(|item| method(service, item))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(quote! {
        #attributes
        #cfg
        #deprecated
        #given
        #[derive(Clone, Debug)]
        pub struct #stub {
            channel: ::grpc_runtime::Channel,
        }

        #lints
        #cfg
        impl #stub {
            /// A stub that makes its calls over `channel`.
            pub fn new(channel: ::grpc_runtime::Channel) -> Self {
                Self { channel }
            }
            #(#methods)*
        }
    })
}

fn method(service: &Service, method: &Method) -> Result<TokenStream, Error> {
    let docs = docs(&method.docs, &format!("Calls `{}`.", method.path));
    let deprecated = deprecated(method.deprecated);
    let name = ident(&method.name);
    let module = ident(&service.module.name);
    let constant = ident(&method.constant);
    let input = type_path(&method.input)?;
    let output = type_path(&method.output)?;

    let Shape {
        client_streams,
        server_streams,
    } = method.shape;
    let call = ident(match (client_streams, server_streams) {
        (false, false) => "UnaryCall",
        (false, true) => "ServerStreamingCall",
        (true, false) => "ClientStreamingCall",
        (true, true) => "BidiStreamingCall",
    });
    let (parameter, generics, argument) = if client_streams {
        (None, quote!(<#input, #output>), None)
    } else {
        (
            Some(quote!(request: #input)),
            quote!(<#output>),
            Some(quote!(, &request)),
        )
    };
    Ok(quote! {
        #docs
        #deprecated
        pub fn #name(&self, #parameter) -> ::grpc_runtime::#call #generics {
            ::grpc_runtime::#call::new(&self.channel, #module::#constant #argument)
        }
    })
}
