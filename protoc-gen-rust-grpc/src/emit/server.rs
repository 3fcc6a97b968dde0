//! What joins a servicer to the runtime: a table of methods, each with a
//! closure that lends the servicer what the runtime gives it. Methods are named
//! through the trait: `servicer.clone(…)` would be the `Arc`'s own.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, docs, ident, lints};
use crate::error::Error;
use crate::model::{Method, Service, Shape};

pub(super) fn emit(service: &Service) -> Result<TokenStream, Error> {
    let server = ident(&service.server);
    let servicer = ident(&service.servicer);
    let module = ident(&service.module);
    let docs = docs(&[], &format!("Serves a [`{}`].", service.servicer));
    let deprecated = deprecated(service.deprecated);
    let lints = lints(Some(service));
    let methods = service.methods.iter().map(|item| method(service, item));
    Ok(quote! {
        #docs
        #deprecated
        #lints
        #[derive(Clone, Debug)]
        pub struct #server(::grpc_runtime::Service);

        #lints
        impl #server {
            /// Serves what `servicer` answers.
            pub fn new<S: #servicer>(servicer: S) -> Self {
                Self::from_arc(::std::sync::Arc::new(servicer))
            }

            /// Serves what a servicer answers that others hold, too.
            pub fn from_arc<S: #servicer>(servicer: ::std::sync::Arc<S>) -> Self {
                Self(
                    ::grpc_runtime::Service::builder(#module::NAME, servicer)
                        #(#methods)*
                        .build(),
                )
            }
        }

        #lints
        impl ::core::convert::From<#server> for ::grpc_runtime::Service {
            fn from(server: #server) -> Self {
                server.0
            }
        }
    })
}

fn method(service: &Service, method: &Method) -> TokenStream {
    let name = ident(&method.name);
    let module = ident(&service.module);
    let constant = ident(&method.constant);
    let Shape {
        client_streams,
        server_streams,
    } = method.shape;
    let register = ident(match (client_streams, server_streams) {
        (false, false) => "unary",
        (false, true) => "server_streaming",
        (true, false) => "client_streaming",
        (true, true) => "bidi_streaming",
    });
    let (taken, lent) = if client_streams {
        (quote!(mut requests), quote!(&mut requests))
    } else {
        (quote!(request), quote!(request))
    };
    let (replies, replies_lent, replies_back) = if server_streams {
        (
            Some(quote!(mut replies,)),
            Some(quote!(&mut replies,)),
            Some(quote!(replies,)),
        )
    } else {
        (None, None, None)
    };
    quote! {
        .#register(#module::#constant, |servicer, #taken, #replies mut context| async move {
            let result = S::#name(&servicer, #lent, #replies_lent &mut context).await;
            (result, #replies_back context)
        })
    }
}
