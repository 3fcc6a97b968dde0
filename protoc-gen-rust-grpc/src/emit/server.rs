//! Emits the server of a service, which connects a servicer to the runtime: a table of
//! methods, each with the function of the servicer's trait that answers it.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs, ident, lints, user_attributes};
use crate::error::Error;
use crate::model::{Method, Service};

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
    let register = ident(method.shape.word());
    quote!(.#register(#module::#constant, S::#name))
}
