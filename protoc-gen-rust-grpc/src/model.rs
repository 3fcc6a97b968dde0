//! A service as the emitters see it: every name decided, every type a Rust
//! path. Nothing past this file looks at a descriptor of a service.

use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

use crate::error::Error;
use crate::locations::{Locations, child, field};
use crate::names;
use crate::paths::Paths;
use crate::scope::Scope;

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
}

/// One method. Names are Rust's, escaped where they are keywords.
#[derive(Debug)]
pub(crate) struct Method {
    /// `/package.Service/Method`
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) constant: String,
    pub(crate) shape: Shape,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
}

/// An item generated for a service.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// A sentence for the reader who looks for the name it would have if that
    /// were not taken.
    pub(crate) note: Option<String>,
}

/// One service and the names of what is generated for it.
#[derive(Debug)]
pub(crate) struct Service {
    /// `package.Service`
    pub(crate) full_name: String,
    pub(crate) module: Item,
    pub(crate) stub: Item,
    pub(crate) servicer: Item,
    pub(crate) server: Item,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) methods: Vec<Method>,
}

impl Service {
    /// Whether anything in it is deprecated, so that generated code which uses
    /// it must not be warned about.
    pub(crate) fn any_deprecated(&self) -> bool {
        self.deprecated || self.methods.iter().any(|method| method.deprecated)
    }
}

/// The services of one file, whose names are claimed in the package's scope.
pub(crate) fn services(
    file: &FileDescriptorProto,
    scope: &mut Scope,
    paths: &Paths<'_>,
) -> Result<Vec<Service>, Error> {
    let reader = Reader {
        locations: Locations::of(file),
        package: file.package(),
        paths,
    };
    file.service
        .iter()
        .enumerate()
        .map(|(index, service)| {
            reader.service(&child(&[], field::FILE_SERVICE, index), service, scope)
        })
        .collect()
}

struct Reader<'a> {
    locations: Locations<'a>,
    package: &'a str,
    paths: &'a Paths<'a>,
}

impl Reader<'_> {
    fn service(
        &self,
        path: &[i32],
        service: &ServiceDescriptorProto,
        scope: &mut Scope,
    ) -> Result<Service, Error> {
        let full_name = if self.package.is_empty() {
            service.name().to_owned()
        } else {
            format!("{}.{}", self.package, service.name())
        };
        let what = format!("the service `{}`", service.name());
        let base = names::camel(service.name());
        // A service's own name is no Rust item; it is claimed under a name none
        // can have, so that `Foo` and `foo` meet there.
        scope
            .claim(format!("service {base}"), &what)
            .map_err(|message| self.locations.error(path, message))?;
        let mut take = |wanted: String| {
            let (name, taker) = scope.free(&wanted);
            let note = taker.map(|taker| format!("Named `{name}` because {taker} is `{wanted}`."));
            scope
                .claim(name.clone(), &what)
                .map_err(|message| self.locations.error(path, message))?;
            Ok::<_, Error>(Item { name, note })
        };
        let module = take(names::snake(service.name()))?;
        let stub = take(names::camel_with(service.name(), "Stub"))?;
        let servicer = take(names::camel_with(service.name(), "Servicer"))?;
        let server = take(names::camel_with(service.name(), "Server"))?;

        let mut taken = Scope::default();
        let methods = service
            .method
            .iter()
            .enumerate()
            .map(|(index, method)| {
                let path = child(path, field::SERVICE_METHOD, index);
                self.method(&path, &full_name, method, &mut taken)
            })
            .collect::<Result<_, Error>>()?;

        Ok(Service {
            full_name,
            module,
            stub,
            servicer,
            server,
            docs: self.locations.docs(path),
            deprecated: service
                .options
                .as_ref()
                .is_some_and(prost_types::ServiceOptions::deprecated),
            methods,
        })
    }

    fn method(
        &self,
        path: &[i32],
        service: &str,
        method: &MethodDescriptorProto,
        taken: &mut Scope,
    ) -> Result<Method, Error> {
        let mut name = names::snake(method.name());
        taken
            .claim(name.clone(), &format!("the method `{}`", method.name()))
            .map_err(|message| self.locations.error(path, message))?;
        // `new` is the stub's constructor, `NAME` the service's name. heck
        // leaves no `_` at an end, so neither can meet another method.
        if name == "new" {
            name.push('_');
        }
        let mut constant = names::shouty(method.name());
        if constant == "NAME" {
            constant.push('_');
        }
        Ok(Method {
            path: format!("/{service}/{}", method.name()),
            name,
            constant,
            shape: Shape {
                client_streams: method.client_streaming(),
                server_streams: method.server_streaming(),
            },
            input: self.paths.resolve(self.package, method.input_type()),
            output: self.paths.resolve(self.package, method.output_type()),
            docs: self.locations.docs(path),
            deprecated: method
                .options
                .as_ref()
                .is_some_and(prost_types::MethodOptions::deprecated),
        })
    }
}
