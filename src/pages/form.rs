//! A form as it is shown: its fields, what was typed into them, and what is wrong with it, beside the field and in a summary.

use std::borrow::Cow;

use crate::error::FieldError;

/// A form: `parts/problems.html` shows the summary, `parts/fields.html` all fields, `parts/field.html` one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// In the order shown.
    pub fields: Vec<Field>,
    /// What is wrong, all of it.
    pub problems: Vec<Problem>,
}

/// A field with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As it is sent.
    pub name: Cow<'static, str>,
    /// The element's id; the name, unless two forms of one page have a field of that name.
    pub id: Cow<'static, str>,
    /// What people read.
    pub label: Cow<'static, str>,
    /// How it is filled in.
    pub control: Control,
    /// A sentence below the label.
    pub hint: Option<Cow<'static, str>>,
    /// What is in it.
    pub value: String,
    /// Whether it may not stay empty.
    pub required: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// The ids of the hint and the error.
    pub described_by: String,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// One line.
    Line {
        /// HTML's `type`.
        kind: &'static str,
        /// HTML's `autocomplete`.
        autocomplete: &'static str,
    },
    /// Several lines, this many shown at first.
    Area(u8),
    /// One of several: a list that unfolds.
    Select(Vec<Choice>),
    /// One of a few: all shown.
    Radio(Vec<Choice>),
}

/// A value to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As it is sent.
    pub value: Cow<'static, str>,
    /// What people read.
    pub label: Cow<'static, str>,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<Cow<'static, str>>, label: impl Into<Cow<'static, str>>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// A line of the summary; with the field's id it becomes a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The id of the field's element.
    pub field: Option<String>,
    /// A sentence.
    pub text: String,
}

impl Form {
    /// The fields, each told what is wrong with it.
    pub fn new(mut fields: Vec<Field>, errors: &[FieldError]) -> Self {
        let problems = errors.iter().map(|error| Problem::of(error, &mut fields)).collect();
        for field in &mut fields {
            field.describe();
        }
        Self { fields, problems }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Problem {
    /// Notes the error at its field, if the form shows one of that name; otherwise the summary alone tells it.
    fn of(error: &FieldError, fields: &mut [Field]) -> Self {
        match fields.iter_mut().find(|field| field.name == error.field) {
            Some(field) => {
                let text = format!("{} {}", field.label, error.message);
                field.error.get_or_insert_with(|| text.clone());
                Self { field: Some(field.id.clone().into_owned()), text }
            }
            None if error.field.is_empty() => Self { field: None, text: error.message.clone() },
            None => Self { field: None, text: format!("{} {}", error.field, error.message) },
        }
    }
}

impl Field {
    fn new(name: impl Into<Cow<'static, str>>, label: impl Into<Cow<'static, str>>, control: Control) -> Self {
        let name = name.into();
        Self {
            id: name.clone(),
            name,
            label: label.into(),
            control,
            hint: None,
            value: String::new(),
            required: true,
            error: None,
            described_by: String::new(),
        }
    }

    /// One line of this HTML `type` and `autocomplete`; it may not stay empty unless said otherwise.
    pub fn line(
        name: impl Into<Cow<'static, str>>,
        label: impl Into<Cow<'static, str>>,
        kind: &'static str,
        autocomplete: &'static str,
    ) -> Self {
        Self::new(name, label, Control::Line { kind, autocomplete })
    }

    /// Several lines.
    pub fn area(name: impl Into<Cow<'static, str>>, label: impl Into<Cow<'static, str>>, rows: u8) -> Self {
        Self::new(name, label, Control::Area(rows))
    }

    /// One of several.
    pub fn select(name: impl Into<Cow<'static, str>>, label: impl Into<Cow<'static, str>>, choices: Vec<Choice>) -> Self {
        Self::new(name, label, Control::Select(choices))
    }

    /// One of a few.
    pub fn radio(name: impl Into<Cow<'static, str>>, label: impl Into<Cow<'static, str>>, choices: Vec<Choice>) -> Self {
        Self::new(name, label, Control::Radio(choices))
    }

    /// What is in it at first.
    pub fn holding(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// A sentence about it.
    pub fn hinting(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// It may stay empty.
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Another id than the name, for a page with two forms.
    pub fn known_as(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.id = id.into();
        self
    }

    fn describe(&mut self) {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.id));
        self.described_by = hint.into_iter().chain(error).collect::<Vec<_>>().join(" ");
    }
}
