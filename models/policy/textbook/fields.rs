//! The input of a case by name, and its output.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::case::CaseError;
use super::check::ParameterError;

/// A line of the registry.
pub struct Model {
    pub name: &'static str,
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
    pub solve: fn(&Fields) -> Result<Output, CaseError>,
}

impl Model {
    fn known(&self) -> String {
        let optional = self.optional.iter().map(|name| format!("{name} (optional)"));
        let all: Vec<String> =
            self.required.iter().map(|name| (*name).to_owned()).chain(optional).collect();
        all.join(", ")
    }
}

/// Checked to have the model's fields and no others.
pub struct Fields<'a> {
    model: &'static Model,
    input: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub fn new(
        model: &'static Model,
        input: &'a Map<String, Value>,
    ) -> Result<Fields<'a>, CaseError> {
        let known = || model.required.iter().chain(model.optional).copied();
        let owned = model.name.to_owned();
        if let Some(field) = input.keys().find(|name| !known().any(|known| known == *name)) {
            let near = nearest(field, known());
            let (field, known) = (shortened(field), model.known());
            return Err(CaseError::UnknownField { model: owned, field, near, known });
        }
        if let Some(field) = model.required.iter().find(|name| !input.contains_key(**name)) {
            let (field, known) = ((*field).to_owned(), model.known());
            return Err(CaseError::MissingField { model: owned, field, known });
        }
        Ok(Fields { model, input })
    }

    /// The error of this model's parameter.
    pub fn illegal(&self, error: ParameterError) -> CaseError {
        CaseError::Parameter { model: self.model.name.to_owned(), error }
    }

    fn wrong(&self, field: &str, value: &Value, legal: impl Into<String>) -> CaseError {
        self.illegal(ParameterError::new(field, brief(value), legal))
    }

    pub fn has(&self, field: &str) -> bool {
        self.input.contains_key(field)
    }

    fn value(&self, field: &str) -> &'a Value {
        self.input.get(field).unwrap_or(&Value::Null)
    }

    pub fn number(&self, field: &str) -> Result<f64, CaseError> {
        self.as_number(field, self.value(field))
    }

    fn as_number(&self, field: &str, value: &Value) -> Result<f64, CaseError> {
        value.as_f64().ok_or_else(|| self.wrong(field, value, "a number"))
    }

    pub fn number_or(&self, field: &str, missing: f64) -> Result<f64, CaseError> {
        if self.has(field) { self.number(field) } else { Ok(missing) }
    }

    /// A whole number of at least 0.
    pub fn count(&self, field: &str) -> Result<usize, CaseError> {
        self.as_count(field, self.value(field))
    }

    fn as_count(&self, field: &str, value: &Value) -> Result<usize, CaseError> {
        let whole = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=1e9).contains(n));
        let whole = whole.ok_or_else(|| self.wrong(field, value, "a whole number from 0 to 1e9"));
        Ok(whole? as usize)
    }

    /// A whole number, which may be negative.
    pub fn whole(&self, field: &str) -> Result<i64, CaseError> {
        let number = self.number(field)?;
        if number.fract() == 0.0 && number.abs() <= 1e9 {
            return Ok(number as i64);
        }
        Err(self.wrong(field, self.value(field), "a whole number from -1e9 to 1e9"))
    }

    pub fn numbers(&self, field: &str) -> Result<Vec<f64>, CaseError> {
        match self.value(field) {
            Value::Array(values) => self.all_numbers(field, values),
            other => Err(self.wrong(field, other, "a list of numbers")),
        }
    }

    fn all_numbers(&self, field: &str, values: &[Value]) -> Result<Vec<f64>, CaseError> {
        let number =
            |(at, value): (usize, &Value)| self.as_number(&format!("{field}[{at}]"), value);
        values.iter().enumerate().map(number).collect()
    }

    /// A number once for all, or a list of them.
    pub fn once_or_each(&self, field: &str) -> Result<Vec<f64>, CaseError> {
        match self.value(field) {
            Value::Array(values) => self.all_numbers(field, values),
            Value::Number(_) => Ok(vec![self.number(field)?]),
            other => Err(self.wrong(field, other, "a number or a list of numbers")),
        }
    }

    /// For each of `periods` periods; given once, it is the same in all.
    pub fn for_each(&self, field: &str, periods: usize) -> Result<Vec<f64>, CaseError> {
        let given = self.once_or_each(field)?;
        match (&given[..], self.value(field)) {
            ([once], Value::Number(_)) => Ok(vec![*once; periods]),
            _ if given.len() == periods => Ok(given),
            (_, value) => {
                let legal = format!("a number or a list of {periods}, one a period");
                Err(self.wrong(field, value, legal))
            }
        }
    }

    /// Lists of numbers; a number alone is a list of one.
    pub fn lists(&self, field: &str) -> Result<Vec<Vec<f64>>, CaseError> {
        let legal = "a list of lists of numbers";
        let Value::Array(lists) = self.value(field) else {
            return Err(self.wrong(field, self.value(field), legal));
        };
        let list = |(at, value): (usize, &Value)| {
            let field = format!("{field}[{at}]");
            match value {
                Value::Array(values) => self.all_numbers(&field, values),
                Value::Number(_) => Ok(vec![self.as_number(&field, value)?]),
                other => Err(self.wrong(&field, other, "a list of numbers")),
            }
        };
        lists.iter().enumerate().map(list).collect()
    }

    /// `{"0": 0.5, "3": 0.5}`: values and their probabilities.
    pub fn pmf(&self, field: &str) -> Result<Vec<(f64, f64)>, CaseError> {
        self.as_pmf(field, self.value(field))
    }

    fn as_pmf(&self, field: &str, value: &Value) -> Result<Vec<(f64, f64)>, CaseError> {
        let Value::Object(pairs) = value else {
            let legal = "an object of demands and their probabilities: {\"0\": 0.5, \"3\": 0.5}";
            return Err(self.wrong(field, value, legal));
        };
        pairs
            .iter()
            .map(|(demand, probability)| {
                let name = format!("{field}[\"{}\"]", shortened(demand));
                let number: f64 = demand
                    .trim()
                    .parse()
                    .map_err(|_| self.wrong(&name, probability, "for a demand that is a number"))?;
                Ok((number, self.as_number(&name, probability)?))
            })
            .collect()
    }

    /// The same for each of `periods` periods, or one for all.
    pub fn pmf_for_each(
        &self,
        field: &str,
        periods: usize,
    ) -> Result<Vec<Vec<(f64, f64)>>, CaseError> {
        match self.value(field) {
            Value::Array(pmfs) if pmfs.len() == periods => pmfs
                .iter()
                .enumerate()
                .map(|(at, pmf)| self.as_pmf(&format!("{field}[{at}]"), pmf))
                .collect(),
            Value::Array(_) => {
                let legal = format!("an object, or a list of {periods} of them, one a period");
                Err(self.wrong(field, self.value(field), legal))
            }
            _ => Ok(vec![self.pmf(field)?; periods]),
        }
    }

    /// A list of objects that have these fields and no others.
    pub fn objects(
        &self,
        field: &str,
        known: &[&str],
    ) -> Result<Vec<&'a Map<String, Value>>, CaseError> {
        let Value::Array(values) = self.value(field) else {
            return Err(self.wrong(field, self.value(field), "a list of objects"));
        };
        let object = |(at, value): (usize, &'a Value)| {
            let Value::Object(object) = value else {
                return Err(self.wrong(&format!("{field}[{at}]"), value, "an object"));
            };
            match object.keys().find(|name| !known.contains(&name.as_str())) {
                None => Ok(object),
                Some(name) => Err(CaseError::UnknownField {
                    model: self.model.name.to_owned(),
                    field: format!("{field}[{at}].{}", shortened(name)),
                    near: nearest(name, known.iter().copied()),
                    known: known.join(", "),
                }),
            }
        };
        values.iter().enumerate().map(object).collect()
    }

    /// A number of one of several objects.
    pub fn number_in(
        &self,
        object: &Map<String, Value>,
        at: &str,
        field: &str,
        missing: Option<f64>,
    ) -> Result<f64, CaseError> {
        match (object.get(field), missing) {
            (Some(value), _) => self.as_number(&format!("{at}.{field}"), value),
            (None, Some(missing)) => Ok(missing),
            (None, None) => Err(self.missing_in(object, at, field)),
        }
    }

    /// A whole number of one of several objects, if it is there.
    pub fn count_in(
        &self,
        object: &Map<String, Value>,
        at: &str,
        field: &str,
    ) -> Result<Option<usize>, CaseError> {
        object.get(field).map(|value| self.as_count(&format!("{at}.{field}"), value)).transpose()
    }

    pub fn text_in(
        &self,
        object: &Map<String, Value>,
        at: &str,
        field: &str,
    ) -> Result<String, CaseError> {
        match object.get(field) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong(&format!("{at}.{field}"), other, "a text")),
            None => Err(self.missing_in(object, at, field)),
        }
    }

    pub fn missing_in(&self, object: &Map<String, Value>, at: &str, field: &str) -> CaseError {
        CaseError::MissingField {
            model: self.model.name.to_owned(),
            field: format!("{at}.{field}"),
            known: object.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        }
    }

    /// A list of pairs of texts.
    pub fn pairs(&self, field: &str) -> Result<Vec<(String, String)>, CaseError> {
        let legal = "a list of pairs of stage ids: [[\"maker\", \"shop\"]]";
        let Value::Array(pairs) = self.value(field) else {
            return Err(self.wrong(field, self.value(field), legal));
        };
        let pair = |(at, value): (usize, &Value)| match value.as_array().map(Vec::as_slice) {
            Some([Value::String(from), Value::String(to)]) => Ok((from.clone(), to.clone())),
            _ => Err(self.wrong(&format!("{field}[{at}]"), value, "a pair of stage ids")),
        };
        pairs.iter().enumerate().map(pair).collect()
    }
}

/// What a model answers, name by name.
#[derive(Default)]
pub struct Output {
    values: Map<String, Value>,
    no_number: Option<String>,
}

impl Output {
    fn put(mut self, name: &str, value: Value) -> Output {
        self.values.insert(name.to_owned(), value);
        self
    }

    pub fn number(mut self, name: &str, value: f64) -> Output {
        match Number::from_f64(value) {
            Some(number) => self.put(name, Value::Number(number)),
            None => {
                self.no_number.get_or_insert_with(|| name.to_owned());
                self
            }
        }
    }

    pub fn numbers(mut self, name: &str, values: &[f64]) -> Output {
        if values.iter().any(|value| !value.is_finite()) {
            self.no_number.get_or_insert_with(|| name.to_owned());
        }
        self.put(name, Value::from(values.to_vec()))
    }

    pub fn value(self, name: &str, value: impl Into<Value>) -> Output {
        self.put(name, value.into())
    }

    pub fn into_output(self, model: &str) -> Result<Map<String, Value>, CaseError> {
        match self.no_number {
            None => Ok(self.values),
            Some(name) => Err(CaseError::NoNumber { model: model.to_owned(), name }),
        }
    }
}

/// JSON in which no object has a name twice: one of the two would be lost in silence.
pub fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| error.to_string())
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.contains_key(&name) {
                let name = shortened(&name);
                return Err(A::Error::custom(format!("field \"{name}\" is there twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A value as it may be quoted.
pub fn brief(value: &Value) -> String {
    shortened(&value.to_string())
}

pub fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The name that was probably meant: at most a third of its letters away.
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let name: Vec<char> = name.chars().take(100).collect();
    known
        .map(|known| (distance(&name, &known.chars().collect::<Vec<_>>()), known))
        .min()
        .filter(|(away, known)| *away <= known.len() / 3 + 1)
        .map(|(_, known)| known.to_owned())
}

/// Letters to insert, remove or replace (Levenshtein), whatever the case.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
