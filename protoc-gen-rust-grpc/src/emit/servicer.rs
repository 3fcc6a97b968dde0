//! Emits the servicer trait: users implement its methods as `async fn`s. Each method has a
//! default body that answers UNIMPLEMENTED, or none with `require_methods`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs, ident, type_path, user_attributes};
use crate::error::Error;
use crate::model::{Method, Service, Shape};

pub(super) fn emit(
    service: &Service,
    cfg: &TokenStream,
    require_methods: bool,
) -> Result<TokenStream, Error> {
    let servicer = ident(&service.servicer.name);
    let otherwise = format!(
        "What a server of `{}` does.{}",
        service.full_name,
        if require_methods {
            ""
        } else {
            " A method left out answers UNIMPLEMENTED."
        }
    );
    let attributes = attributes(service, &service.servicer, &docs(&service.docs, &otherwise));
    let given = user_attributes(&service.servicer.attributes)?;
    let deprecated = deprecated(service.deprecated);
    let methods = service
        .methods
        .iter()
        .map(|item| method(service, item, require_methods))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(quote! {
        #attributes
        #[allow(unused_variables)]
        #cfg
        #deprecated
        #given
        pub trait #servicer: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    })
}

fn method(service: &Service, method: &Method, required: bool) -> Result<TokenStream, Error> {
    let docs = docs(&method.docs, &format!("Answers `{}`.", method.path));
    let written = format!(" {}", as_written(method));
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
    let request = if client_streams {
        quote!(requests: &mut ::grpc_runtime::Receiver<#input>)
    } else {
        quote!(request: #input)
    };
    let (replies, answer) = if server_streams {
        (
            Some(quote!(replies: &mut ::grpc_runtime::Sender<#output>,)),
            quote!(()),
        )
    } else {
        (None, quote!(#output))
    };
    let body = if required {
        quote!(;)
    } else {
        quote!({ ::grpc_runtime::codegen::unimplemented(#module::#constant) })
    };
    Ok(quote! {
        #docs
        #[doc = ""]
        #[doc = #written]
        #deprecated
        fn #name(
            &self,
            #request,
            #replies
            context: &mut ::grpc_runtime::Context,
        ) -> impl ::grpc_runtime::codegen::Answer<#answer> #body
    })
}

/// A sentence with the `async fn` to write, since the return type of the trait's method
/// differs from what users write.
fn as_written(method: &Method) -> String {
    let Method {
        name,
        input,
        output,
        shape,
        ..
    } = method;
    let request = if shape.client_streams {
        format!("requests: &mut Receiver<{input}>")
    } else {
        format!("request: {input}")
    };
    let (replies, answer) = if shape.server_streams {
        (format!("replies: &mut Sender<{output}>, "), "()")
    } else {
        (String::new(), output.as_str())
    };
    format!(
        "Written as `async fn {name}(&self, {request}, {replies}context: &mut Context) -> \
         Result<{answer}, Status>`."
    )
}
