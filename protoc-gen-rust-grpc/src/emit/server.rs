//! What joins a servicer to the runtime: a table of methods, each with a
//! closure that lends the servicer what the runtime gives it. Methods are named
//! through the trait: `servicer.clone(…)` would be the `Arc`'s own.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs, ident, lints, user_attributes};
use crate::error::Error;
use crate::model::{Method, Service, Shape};

pub(super) fn emit(service: &Service, cfg: &TokenStream) -> Result<TokenStream, Error> {
    let server = ident(&service.server.name);
    let servicer = ident(&service.servicer.name);
    let module = ident(&service.module.name);
    let docs = docs(&[], &format!("Serves a [`{}`].", service.servicer.name));
    let attributes = attributes(service, &service.server, &docs);
    let given = user_attributes(&service.server.attributes)?;
    let deprecated = deprecated(service.deprecated);
    let lints = lints(Some(service));
    let allow_deprecated = service.deprecated.then(|| quote!(#[allow(deprecated)]));
    let methods = service.methods.iter().map(|item| method(service, item));
    Ok(quote! {
        #attributes
        #cfg
        #deprecated
        #given
        #[derive(Clone, Debug)]
        pub struct #server(::grpc_runtime::Service);

        #lints
        #cfg
        impl #server {
            /// Serves what `servicer` answers.
            pub fn new<S: #servicer>(servicer: S) -> Self {
                Self::from_arc(::std::sync::Arc::new(servicer))
            }

            /// Serves what `servicer` answers, which the caller may keep a handle on.
            pub fn from_arc<S: #servicer>(servicer: ::std::sync::Arc<S>) -> Self {
                Self(
                    ::grpc_runtime::Service::builder(#module::NAME, servicer)
                        #(#methods)*
                        .build(),
                )
            }
        }

        #allow_deprecated
        #cfg
        impl ::core::convert::From<#server> for ::grpc_runtime::Service {
            fn from(server: #server) -> Self {
                server.0
            }
        }
    })
}

fn method(service: &Service, method: &Method) -> TokenStream {
    let name = ident(&method.name);
    let module = ident(&service.module.name);
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
    let (replies, replies_lent) = if server_streams {
        (Some(quote!(mut replies,)), Some(quote!(&mut replies,)))
    } else {
        (None, None)
    };
    quote! {
        .#register(#module::#constant, |servicer, #taken, #replies mut context| async move {
            let result = S::#name(&servicer, #lent, #replies_lent &mut context).await;
            (result, context)
        })
    }
}
