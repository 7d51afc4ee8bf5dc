//! JSON read as leniently as it allows: what is not of the expected type counts as absent.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) fn parse<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// The JSON text of what is not `null`.
pub(crate) fn present(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|json| *json != "null")
}

/// The text in a string, or the JSON of anything else: some servers send an object where its JSON text is
/// expected.
pub(crate) fn text_or_json(raw: Option<&RawValue>) -> Option<String> {
    let json = present(raw)?;
    Some(serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned()))
}

/// The non-empty texts of a list of parts.
pub(crate) fn texts(parts: Option<&RawValue>) -> Vec<String> {
    let parts: Vec<Value> = parse(parts).unwrap_or_default();
    let text = |part: &Value| match part {
        Value::String(text) => Some(text.clone()),
        part => part.get("text").or(part.get("refusal"))?.as_str().map(str::to_owned),
    };
    parts.iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}

/// A count at a JSON pointer.
pub(crate) fn count(value: &Value, pointer: &str) -> Option<u64> {
    let value = value.pointer(pointer)?;
    value.as_u64().or_else(|| value.as_f64().map(|value| value as u64))
}

/// A string that is borrowed where it can be. Anything else counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

/// An index. Anything but a natural number counts as absent.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Index(pub(crate) Option<u64>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether it says anything.
    pub(crate) fn is_some(&self) -> bool {
        !self.as_str().is_empty()
    }

    pub(crate) fn owned(&self) -> Option<String> {
        self.is_some().then(|| self.as_str().to_owned())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient).map(|scalar| match scalar {
            Scalar::Text(text) => Self(Some(text)),
            Scalar::Number(_) | Scalar::Other => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient).map(|scalar| match scalar {
            Scalar::Number(number) => Self(Some(number)),
            Scalar::Text(_) | Scalar::Other => Self(None),
        })
    }
}

enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Other,
}

/// Takes whatever stands there.
struct Lenient;

impl<'de> Visitor<'de> for Lenient {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
