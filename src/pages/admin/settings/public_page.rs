//! The public page: what it is called, where it is, what it says of itself, and in which time zone its days are cut.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::{address, upload, zones};
use crate::access::Edit;
use crate::domain::page::{self, Page, PagePatch};
use crate::error::{FieldError, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{Seen, expected};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::store::OrgView;

#[derive(Template)]
#[template(path = "admin/settings_page.html")]
struct SettingsPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    /// The last word of its address, as it is now.
    slug: &'a str,
    /// What stands before that word.
    before: String,
    picture: Option<&'a Picture>,
    page_form: Form,
    logo_form: Form,
    seen: Seen,
    zones: &'static [&'static str],
    meanwhile: Option<&'a Meanwhile>,
}

/// The logo, as visitors get it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Picture {
    hash: String,
    width: u32,
    height: u32,
}

/// A form of this page that was refused, with what was typed into it.
#[derive(Clone, Copy)]
pub(super) enum Typed<'a> {
    /// None was: the page was asked for.
    Nothing,
    /// The one with the page's texts.
    Page(&'a Fields, &'a Refused),
    /// The one with its logo.
    Logo(&'a Refused),
}

/// What stands in the fields, be it stored or typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Values {
    name: String,
    slug: String,
    description: String,
    time_zone: String,
}

impl Values {
    fn of(page: &Page) -> Self {
        Self {
            name: page.name.clone().unwrap_or_default(),
            slug: page.slug.clone(),
            description: page.description.clone(),
            time_zone: page.time_zone.clone(),
        }
    }

    fn typed(fields: &Fields) -> Self {
        let typed = |name| fields.get(name).to_owned();
        Self { name: typed("name"), slug: typed("slug"), description: typed("description"), time_zone: typed("time_zone") }
    }

    fn form(&self, organization: &str, errors: &[FieldError]) -> Form {
        let name = format!("At the top of the page. Left empty, it is the organization's: {organization}.");
        let zone = "By its name, such as Europe/Berlin. The days of the page begin and end there.";
        let fields = vec![
            Field::line("name", "Name", "text", "off").holding(&self.name).hinting(name).optional(),
            address::field(&self.slug),
            Field::area("description", "Description", 4)
                .holding(&self.description)
                .hinting("Below the name: what this is, whom to ask. Markdown, at most 2,000 characters.")
                .optional(),
            Field::line("time_zone", "Time zone", "text", "off").holding(&self.time_zone).hinting(zone),
        ];
        Form::new(fields, errors)
    }
}

/// What the page shows, as it was read in one snapshot.
struct Shown {
    version: u64,
    values: Values,
    picture: Option<Picture>,
    meanwhile: Option<Meanwhile>,
}

impl Shown {
    fn read(view: &OrgView<'_, Edit>, missed: Option<&str>) -> Result<Self> {
        let page = page::own(view)?;
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &page.id.to_string(), seen)).transpose()?;
        let values = Values::of(&page);
        let picture = page.logo.map(|logo| Picture { hash: logo.hash, width: logo.width, height: logo.height });
        Ok(Self { version: page.version, values, picture, meanwhile })
    }
}

impl<'a> SettingsPage<'a> {
    fn new(frame: &'a Frame, shown: &'a Shown, typed: Typed<'_>) -> Self {
        let Shown { version, values, picture, meanwhile } = shown;
        let (page_form, seen) = match typed {
            Typed::Page(fields, refused) => {
                (Values::typed(fields).form(&frame.name, &refused.errors), Seen::again(fields, refused, *version, frame))
            }
            Typed::Nothing | Typed::Logo(_) => (values.form(&frame.name, &[]), Seen::now(*version, frame)),
        };
        let wrong: &[FieldError] = if let Typed::Logo(refused) = typed { &refused.errors } else { &[] };
        Self {
            shell: &frame.shell,
            frame,
            slug: &values.slug,
            before: frame.shell.absolute("/p/"),
            picture: picture.as_ref(),
            page_form,
            logo_form: logo_form(picture.as_ref(), wrong),
            seen,
            zones: zones::COMMON,
            meanwhile: meanwhile.as_ref(),
        }
    }
}

/// The field has another id with each logo: the page that comes after an upload then has a new one, with no file chosen in it.
fn logo_form(present: Option<&Picture>, errors: &[FieldError]) -> Form {
    let id = present.map_or_else(|| "file".to_owned(), |picture| format!("file-{}", picture.hash));
    let hint = "PNG, JPEG or WebP, at most 2 MiB and 4,096 pixels a side. It is made to fit into 480 × 160 pixels.";
    Form::new(vec![Field::line(upload::FIELD, "Logo", "file", "off").known_as(id).hinting(hint)], errors)
}

/// The page, with the form that was refused, if one was.
pub(super) async fn page(desk: &Desk, typed: Typed<'_>) -> Result<Response> {
    let missed = match typed {
        Typed::Page(fields, refused) => Seen::missed(desk, fields, refused),
        Typed::Nothing | Typed::Logo(_) => None,
    };
    let query = move |view: &OrgView<'_, Edit>| Shown::read(view, missed.as_deref());
    let (frame, shown) = desk.look(Tab::Settings, query).await?;
    let page = SettingsPage::new(&frame, &shown, typed);
    match typed {
        Typed::Nothing => html(StatusCode::OK, &page),
        Typed::Page(_, refused) | Typed::Logo(refused) => refused.answer(&page),
    }
}

/// `GET /o/:org/page`.
#[handler]
pub(crate) async fn show(desk: Desk) -> poem::Result<Response> {
    Ok(page(&desk, Typed::Nothing).await?)
}

/// `POST /o/:org/page`: its texts.
#[handler]
pub(crate) async fn save(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let known = fields.only(&["name", "slug", "description", "time_zone", "version", "seen"]);
    let saved = match known.and_then(|()| expected(&fields)) {
        Ok(expected) => {
            let Values { name, slug, description, time_zone } = Values::typed(&fields);
            let (name, slug, description, time_zone) = (Some(name), Some(slug), Some(description), Some(time_zone));
            let patch = PagePatch { name, slug, description, time_zone };
            desk.change_wide(move |tx| page::update(tx, patch, expected)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(page) => Ok(desk.done("/page", Done::PageSaved, page.id)?),
        Err(error) => {
            let refused = address::worded(Refused::by(error)?);
            Ok(page(&desk, Typed::Page(&fields, &refused)).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::error::Error;

    fn shown(each: &str) -> Shown {
        let values = Values { name: each.into(), slug: "acme".into(), description: each.into(), time_zone: "Europe/Berlin".into() };
        Shown { version: 3, values, picture: Some(Picture { hash: "00ff".into(), width: 480, height: 96 }), meanwhile: None }
    }

    fn rendered(role: Role, shown: &Shown, typed: Typed<'_>) -> String {
        let frame = Frame { role, ..Frame::sample("Acme", Tab::Settings) };
        SettingsPage::new(&frame, shown, typed).render().unwrap()
    }

    #[test]
    fn the_page_is_shown_with_its_whole_address_and_its_logo() {
        let html = rendered(Role::Admin, &shown("Acme status"), Typed::Nothing);
        for words in [
            "https://example.org/status/p/</span>",
            "name=\"slug\" type=\"text\"",
            "value=\"acme\"",
            "name=\"version\" value=\"3\"",
            "src=\"/status/p/acme/logo/00ff.png\" width=\"480\" height=\"96\"",
            "enctype=\"multipart/form-data\"",
            "action=\"/status/o/acme/page/logo/remove\"",
            "<option value=\"Asia/Kolkata\">",
            "organization&#39;s: Acme.",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert_eq!(html.matches("id=\"problems\"").count(), 0, "{html}");
    }

    #[test]
    fn without_a_logo_there_is_nothing_to_remove() {
        let html = rendered(Role::Admin, &Shown { picture: None, ..shown("") }, Typed::Nothing);
        assert!(html.contains("no logo yet") && !html.contains("/logo/remove") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn an_editor_is_led_to_no_page_of_admins() {
        let (editor, admin) = (rendered(Role::Editor, &shown("x"), Typed::Nothing), rendered(Role::Admin, &shown("x"), Typed::Nothing));
        assert!(!editor.contains("href=\"/status/o/acme/settings\"") && admin.contains("href=\"/status/o/acme/settings\""), "{editor}");
    }

    #[test]
    fn what_is_wrong_stands_in_the_form_that_it_is_about() {
        let refused = Refused::by(Error::invalid("logo", "must be a PNG, JPEG or WebP file")).unwrap();
        let html = rendered(Role::Editor, &shown("Acme status"), Typed::Logo(&refused));
        assert!(html.contains("href=\"#file-00ff\"") && html.contains("id=\"file-00ff-error\""), "{html}");
        assert_eq!((html.matches("aria-invalid").count(), html.matches("id=\"problems\"").count()), (1, 1), "{html}");

        let fields = Fields::default();
        let refused = Refused::by(Error::invalid("time_zone", "must be a name such as Europe/Berlin")).unwrap();
        let html = rendered(Role::Editor, &shown("Acme status"), Typed::Page(&fields, &refused));
        assert!(html.contains("href=\"#time_zone\"") && html.contains("id=\"time_zone-error\""), "{html}");
        assert_eq!((html.matches("aria-invalid").count(), html.matches("id=\"problems\"").count()), (1, 1), "{html}");
    }

    #[test]
    fn hostile_and_long_texts_stay_text() {
        for text in ["\"><script>alert(1)</script>'", "</textarea><script>alert(1)</script>", &"long ".repeat(400), "مرحبا"] {
            let mut shown = shown(text);
            text.clone_into(&mut shown.values.time_zone);
            let frame = Frame::sample(text, Tab::Settings);
            let html = SettingsPage::new(&frame, &shown, Typed::Nothing).render().unwrap();
            assert!(!html.contains("<script>alert"), "{html}");
        }
    }
}
