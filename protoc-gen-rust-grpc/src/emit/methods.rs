//! The module of a service's names: what stub and server share, so that no
//! path is written twice.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, docs, ident};
use crate::model::Service;

pub(super) fn emit(service: &Service) -> TokenStream {
    let module = ident(&service.module.name);
    let full_name = &service.full_name;
    let constants = service.methods.iter().map(|method| {
        let path = &method.path;
        let docs = docs(&[], &format!("`{path}`"));
        let name = ident(&method.constant);
        let shape = ident(method.shape.word());
        let idempotent = method.is_idempotent.then(|| quote!(.idempotent()));
        quote! {
            #docs
            pub const #name: Method = Method::#shape(#path)#idempotent;
        }
    });
    // The module holds nothing else, and no constant has such a name.
    let import = (!service.methods.is_empty()).then(|| {
        quote!(
            use ::grpc_runtime::Method;
        )
    });
    let docs = docs(&[], &format!("The methods of `{full_name}`."));
    let attributes = attributes(service, &service.module, &docs);
    quote! {
        #attributes
        pub mod #module {
            #import
            /// The full name of the service, as it stands in every request's path.
            pub const NAME: &str = #full_name;
            #(#constants)*
        }
    }
}
