//! A service as the emitters see it: every name is decided, every type is a Rust path. Later
//! stages do not read descriptors of services.

use prost_types::method_options::IdempotencyLevel;
use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

use crate::error::{Diagnostic, Error, Mistakes};
use crate::locations::{Locations, child, field};
use crate::names;
use crate::options::Options;
use crate::paths::Paths;
use crate::scope::Scope;

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
}

impl Shape {
    /// The name of the runtime's functions for methods of this shape.
    pub(crate) fn word(self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "unary",
            (false, true) => "server_streaming",
            (true, false) => "client_streaming",
            (true, true) => "bidi_streaming",
        }
    }
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
    /// A call may be carried out several times.
    pub(crate) is_idempotent: bool,
}

/// An item generated for a service.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// A sentence for readers who look for the name that was taken.
    pub(crate) note: Option<String>,
    /// Of the user's options.
    pub(crate) attributes: Vec<String>,
}

/// One service and the names of its generated items.
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

/// The services of one file, whose names are claimed in the package's scope,
/// and a warning for each name that had to differ.
pub(crate) fn services(
    file: &FileDescriptorProto,
    scope: &mut Scope,
    paths: &Paths<'_>,
    options: &Options,
) -> Result<(Vec<Service>, Vec<Diagnostic>), Error> {
    let mut reader = Reader {
        locations: Locations::of(file),
        package: file.package(),
        paths,
        options,
        warnings: Vec::new(),
    };
    let mut mistakes = Mistakes::default();
    let mut services = Vec::new();
    for (index, service) in file.service.iter().enumerate() {
        let path = child(&[], field::FILE_SERVICE, index);
        services.extend(mistakes.note(reader.service(&path, service, scope)));
    }
    mistakes.finish()?;
    Ok((services, reader.warnings))
}

struct Reader<'a> {
    locations: Locations<'a>,
    package: &'a str,
    paths: &'a Paths<'a>,
    options: &'a Options,
    warnings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn service(
        &mut self,
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
        // A service's own name is no Rust item; it is claimed under what none can
        // be called, so that `Foo` and `foo` meet there.
        let items = format!("{base}Stub`, `{base}Servicer` and `{base}Server");
        scope
            .claim(items, &what)
            .map_err(|message| self.locations.error(path, message))?;
        let mut warnings = Vec::new();
        let mut take = |wanted: String, option: &str| {
            let (name, taker) = scope.free(&wanted);
            let note = taker.map(|taker| format!("Named `{name}` because {taker} is `{wanted}`."));
            if let Some(taker) = taker {
                warnings.push(self.locations.diagnostic(
                    path,
                    format!("for {what}, `{name}` is generated because {taker} is `{wanted}`"),
                ));
            }
            scope
                .claim(name.clone(), &what)
                .map_err(|message| self.locations.error(path, message))?;
            let rules = self.options.rules(option);
            let rules = rules.filter(|rule| rule.covers(&format!(".{full_name}")));
            Ok::<_, Error>(Item {
                name,
                note,
                attributes: rules.map(|rule| rule.value.clone()).collect(),
            })
        };
        let module = take(names::snake(service.name()), "")?;
        let name = |suffix: &str| names::camel_with(service.name(), suffix);
        let stub = take(name("Stub"), "stub_attribute")?;
        let servicer = take(name("Servicer"), "servicer_attribute")?;
        let server = take(name("Server"), "server_attribute")?;
        self.warnings.append(&mut warnings);

        let mut taken = Scope::default();
        let mut mistakes = Mistakes::default();
        let mut methods = Vec::new();
        for (index, method) in service.method.iter().enumerate() {
            let path = child(path, field::SERVICE_METHOD, index);
            methods.extend(mistakes.note(self.method(&path, &full_name, method, &mut taken)));
        }
        mistakes.finish()?;

        Ok(Service {
            docs: self.docs(path, &full_name),
            full_name,
            module,
            stub,
            servicer,
            server,
            deprecated: service
                .options
                .as_ref()
                .is_some_and(prost_types::ServiceOptions::deprecated),
            methods,
        })
    }

    fn docs(&self, path: &[i32], full_name: &str) -> Vec<String> {
        let full_name = format!(".{full_name}");
        let mut disabled = self.options.rules("disable_comments");
        if disabled.any(|rule| rule.covers(&full_name)) {
            Vec::new()
        } else {
            self.locations.docs(path)
        }
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
        // `new` is the stub's constructor, `NAME` the service's name. heck's names do not
        // end with `_`, so the new names do not collide with other methods.
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
            docs: self.docs(path, &format!("{service}.{}", method.name())),
            deprecated: method
                .options
                .as_ref()
                .is_some_and(prost_types::MethodOptions::deprecated),
            is_idempotent: method.options.as_ref().is_some_and(|options| {
                options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown
            }),
        })
    }
}
