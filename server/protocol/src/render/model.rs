//! The schemas of the wire, read once into a model small enough to print.

use std::error::Error;
use std::fmt;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::methods::METHODS;
use crate::{AgentEvent, ClientCapabilities, ClientToolCall, ErrorData, MethodInfo, ServerCapabilities};

/// What [`serde(other)`](https://serde.rs/variant-attrs.html#other) variants are called. They say that the
/// list is open and never cross the wire, so no copy shows them.
const LATER_VERSION: &str = "unknown";

/// Everything that crosses the wire.
#[derive(Debug, Clone)]
pub struct Model {
    /// In the order of [`METHODS`].
    pub methods: Vec<Method>,
    /// In the order in which a reader of the methods meets them.
    pub definitions: Vec<Definition>,
}

/// A row of [`METHODS`] with its types read.
#[derive(Debug, Clone)]
pub struct Method {
    pub info: MethodInfo,
    pub params: Type,
    /// `None`: a notification.
    pub result: Option<Type>,
}

/// A type with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub name: String,
    pub doc: Option<String>,
    pub shape: Shape,
}

/// What a named type is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Object(Object),
    /// One of some strings; `open` if later versions may add some.
    Enum {
        values: Vec<EnumValue>,
        open: bool,
    },
    Union(Union),
}

/// Fields, and those of another named type beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub extends: Option<String>,
    /// Required ones as declared, then optional ones by name.
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub doc: Option<String>,
    pub required: bool,
    pub ty: Type,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EnumValue {
    pub value: String,
    pub doc: Option<String>,
}

/// One of some objects, told apart by the string in the field `tag`.
#[derive(Debug, Clone, PartialEq)]
pub struct Union {
    pub tag: String,
    pub variants: Vec<Variant>,
    /// Later versions may add variants.
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// What `tag` says.
    pub value: String,
    pub doc: Option<String>,
    /// Without the tag.
    pub object: Object,
}

/// The type of a field, of params or of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Any,
    Boolean,
    Integer,
    Number,
    String,
    Array(Box<Type>),
    Nullable(Box<Type>),
    /// The definition of this name.
    Ref(String),
}

/// A schema that no printer has words for.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownShape {
    pub schema: String,
}

impl fmt::Display for UnknownShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot render the schema {}", self.schema)
    }
}

impl Error for UnknownShape {}

impl Model {
    /// Reads the methods, the events, the capabilities and what errors carry.
    ///
    /// # Errors
    /// [`UnknownShape`] for a type that the printers have no words for.
    pub fn read() -> Result<Model, UnknownShape> {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let capabilities = [
            type_of(&generator.subschema_for::<ClientCapabilities>())?,
            type_of(&generator.subschema_for::<ServerCapabilities>())?,
        ];
        let methods: Vec<Method> =
            METHODS.iter().map(|info| Method::read(info, &mut generator)).collect::<Result<_, _>>()?;
        let error = type_of(&generator.subschema_for::<ErrorData>())?;
        // Flattened into params, so nothing else asks for them by name.
        generator.subschema_for::<AgentEvent>();
        generator.subschema_for::<ClientToolCall>();

        let mut reader =
            Reader { schemas: generator.take_definitions(true), definitions: Vec::new(), begun: Vec::new() };
        let in_methods =
            methods.iter().flat_map(|method| std::iter::once(&method.params).chain(&method.result));
        for ty in capabilities.iter().chain(in_methods).chain([&error]) {
            reader.visit(ty)?;
        }
        Ok(Model { methods, definitions: reader.definitions })
    }

    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.name == name)
    }
}

impl Method {
    fn read(info: &MethodInfo, generator: &mut SchemaGenerator) -> Result<Method, UnknownShape> {
        let params = type_of(&(info.params)(generator))?;
        let result = info.result.map(|result| type_of(&result(generator))).transpose()?;
        Ok(Method { info: *info, params, result })
    }
}

impl Field {
    /// The mark of an optional field and its type without `null`: a reader treats `null` as absent, and a
    /// writer leaves the field out.
    #[must_use]
    pub fn marked(&self) -> (&'static str, &Type) {
        match &self.ty {
            Type::Nullable(inner) if !self.required => ("?", inner),
            ty if self.required => ("", ty),
            ty => ("?", ty),
        }
    }
}

impl Type {
    /// The name of the definition it leads to.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Type::Ref(name) => Some(name),
            Type::Array(inner) | Type::Nullable(inner) => inner.name(),
            Type::Any | Type::Boolean | Type::Integer | Type::Number | Type::String => None,
        }
    }
}

struct Reader {
    schemas: Map<String, Value>,
    definitions: Vec<Definition>,
    /// Names whose definition is read or being read.
    begun: Vec<String>,
}

impl Reader {
    /// Reads the definition that `ty` leads to, then those it leads to in turn.
    fn visit(&mut self, ty: &Type) -> Result<(), UnknownShape> {
        match ty.name() {
            Some(name) => self.visit_name(name),
            None => Ok(()),
        }
    }

    fn visit_name(&mut self, name: &str) -> Result<(), UnknownShape> {
        if self.begun.iter().any(|begun| begun == name) {
            return Ok(());
        }
        self.begun.push(name.to_owned());
        let schema = self.schemas.get(name).ok_or_else(|| UnknownShape { schema: name.to_owned() })?;
        let definition = Definition { name: name.to_owned(), doc: doc(schema), shape: self.shape(schema)? };
        let objects: Vec<Object> = match &definition.shape {
            Shape::Object(object) => vec![object.clone()],
            Shape::Union(union) => union.variants.iter().map(|variant| variant.object.clone()).collect(),
            Shape::Enum { .. } => Vec::new(),
        };
        self.definitions.push(definition);
        for object in objects {
            if let Some(base) = &object.extends {
                self.visit_name(base)?;
            }
            object.fields.iter().try_for_each(|field| self.visit(&field.ty))?;
        }
        Ok(())
    }

    fn shape(&self, schema: &Value) -> Result<Shape, UnknownShape> {
        let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else {
            return if schema.get("enum").is_some() {
                Ok(enumeration(std::slice::from_ref(schema)))
            } else {
                Ok(Shape::Object(object(schema, None)?))
            };
        };
        if schema.get("properties").is_some() {
            return Ok(Shape::Object(Object {
                extends: Some(self.flattened(schema)?),
                ..object(schema, None)?
            }));
        }
        if choices.iter().all(|choice| choice["type"] == "string") {
            return Ok(enumeration(choices));
        }
        union(choices).map(Shape::Union)
    }

    /// The name of the union that was flattened into `schema`: schemars copies it there.
    fn flattened(&self, schema: &Value) -> Result<String, UnknownShape> {
        let same = |(_, other): &(&String, &Value)| {
            other.get("properties").is_none() && other.get("oneOf") == schema.get("oneOf")
        };
        let found = self.schemas.iter().find(same).map(|(name, _)| name.clone());
        found.ok_or_else(|| unknown(schema))
    }
}

/// Reads strings: `{"enum": ["a", "b"]}` where nothing is said of them, `{"const": "c"}` where something is.
fn enumeration(choices: &[Value]) -> Shape {
    let constants = |choice: &Value| {
        let list = choice["enum"].as_array().cloned();
        list.unwrap_or_else(|| vec![choice["const"].clone()])
    };
    let all: Vec<EnumValue> = choices
        .iter()
        .flat_map(|choice| constants(choice).into_iter().map(|value| (value, doc_within(choice))))
        .filter_map(|(value, doc)| Some(EnumValue { value: value.as_str()?.to_owned(), doc }))
        .collect();
    let values: Vec<EnumValue> = all.iter().filter(|value| value.value != LATER_VERSION).cloned().collect();
    let open = values.len() < all.len();
    Shape::Enum { values, open }
}

/// The doc of one value. A type with nothing but `enum` has its own doc in the same place.
fn doc_within(choice: &Value) -> Option<String> {
    choice.get("const").and_then(|_| doc(choice))
}

fn union(choices: &[Value]) -> Result<Union, UnknownShape> {
    let mut tag = String::new();
    let mut variants = Vec::new();
    for choice in choices {
        let properties = choice["properties"].as_object().ok_or_else(|| unknown(choice))?;
        let constant = properties.iter().find_map(|(name, schema)| Some((name, schema["const"].as_str()?)));
        let (name, value) = constant.ok_or_else(|| unknown(choice))?;
        tag.clone_from(name);
        variants.push(Variant {
            value: value.to_owned(),
            doc: doc(choice),
            object: object(choice, Some(name))?,
        });
    }
    let n_all = variants.len();
    variants.retain(|variant| variant.value != LATER_VERSION);
    Ok(Union { tag, open: variants.len() < n_all, variants })
}

/// Reads `properties`, but for the tag.
fn object(schema: &Value, tag: Option<&String>) -> Result<Object, UnknownShape> {
    if schema["type"] != "object" {
        return Err(unknown(schema));
    }
    let extends = schema.get("$ref").map(|_| name_of(schema)).transpose()?;
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let declared: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let position = |name: &str| declared.iter().position(|&required| required == name);

    let mut fields = Vec::new();
    for (name, schema) in properties.iter().filter(|(name, _)| Some(*name) != tag) {
        let required = position(name).is_some();
        fields.push(Field { name: name.clone(), doc: doc(schema), required, ty: type_of_value(schema)? });
    }
    fields.sort_by_key(|field| position(&field.name).unwrap_or(usize::MAX));
    Ok(Object { extends, fields })
}

fn type_of(schema: &Schema) -> Result<Type, UnknownShape> {
    type_of_value(schema.as_value())
}

fn type_of_value(schema: &Value) -> Result<Type, UnknownShape> {
    if schema.get("$ref").is_some() {
        return name_of(schema).map(Type::Ref);
    }
    if let Some([inner, Value::Object(null)]) = schema["anyOf"].as_array().map(Vec::as_slice)
        && null.get("type").is_some_and(|name| name == "null")
    {
        return Ok(Type::Nullable(Box::new(type_of_value(inner)?)));
    }
    match &schema["type"] {
        Value::String(name) => plain_type(name, schema),
        Value::Array(names) => match names.as_slice() {
            [Value::String(name), Value::String(null)] if null == "null" => {
                Ok(Type::Nullable(Box::new(plain_type(name, schema)?)))
            }
            _ => Err(unknown(schema)),
        },
        Value::Null if says_nothing(schema) => Ok(Type::Any),
        _ => Err(unknown(schema)),
    }
}

fn plain_type(name: &str, schema: &Value) -> Result<Type, UnknownShape> {
    match name {
        "string" if schema.get("enum").is_none() => Ok(Type::String),
        "boolean" => Ok(Type::Boolean),
        "integer" => Ok(Type::Integer),
        "number" => Ok(Type::Number),
        "array" => Ok(Type::Array(Box::new(type_of_value(&schema["items"])?))),
        _ => Err(unknown(schema)),
    }
}

/// `true`, or an object with no more than a doc.
fn says_nothing(schema: &Value) -> bool {
    match schema {
        Value::Bool(allowed) => *allowed,
        Value::Object(keys) => keys.keys().all(|key| key == "description"),
        _ => false,
    }
}

fn name_of(schema: &Value) -> Result<String, UnknownShape> {
    let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
    name.map(str::to_owned).ok_or_else(|| unknown(schema))
}

/// The doc on one line; a line break in a Rust comment means nothing.
fn doc(schema: &Value) -> Option<String> {
    schema["description"].as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unknown(schema: &Value) -> UnknownShape {
    UnknownShape { schema: schema.to_string() }
}
