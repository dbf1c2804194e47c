//! The account pages as HTML: set-up, sign-up, sign-in, the plain page after it, and errors.
//!
//! Every form is a real one. What was wrong stands beside its field and, linked, in a summary that takes the focus; what was typed stays,
//! passwords excepted: they are not written into any HTML.

use askama::Template;

use crate::error::FieldError;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;

/// What a person typed into a sign-up form, as it was typed. The password is not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountValues {
    /// The field `email`.
    pub email: String,
    /// The field `full_name`.
    pub full_name: String,
    /// The field `organization_name`.
    pub organization_name: String,
}

/// The form behind the one-time link: fields `token`, `full_name`, `email`, `password`, `organization_name`; posts to `/setup`.
#[derive(Template)]
#[template(path = "account/setup.html")]
pub struct SetupPage<'a> {
    shell: &'a Shell,
    token: &'a str,
    form: Form,
}

impl<'a> SetupPage<'a> {
    /// The form, with what was typed and what is wrong with it; both are empty at first.
    pub fn new(shell: &'a Shell, token: &'a str, values: &AccountValues, errors: &[FieldError]) -> Self {
        Self { shell, token, form: Form::new(account_fields(values, true), errors) }
    }
}

/// Sign-up: fields `full_name`, `email`, `password` and `organization_name`, or `invite_token` in its place; posts to `/signup`.
#[derive(Template)]
#[template(path = "account/signup.html")]
pub struct SignupPage<'a> {
    shell: &'a Shell,
    invite_token: Option<&'a str>,
    form: Form,
}

impl<'a> SignupPage<'a> {
    /// The form; who comes by an invitation founds no organization.
    pub fn new(shell: &'a Shell, invite_token: Option<&'a str>, values: &AccountValues, errors: &[FieldError]) -> Self {
        Self { shell, invite_token, form: Form::new(account_fields(values, invite_token.is_none()), errors) }
    }
}

/// Sign-in: fields `email`, `password` and, if it is not empty, `next`; posts to `/login`.
#[derive(Template)]
#[template(path = "account/login.html")]
pub struct LoginPage<'a> {
    shell: &'a Shell,
    next: &'a str,
    form: Form,
}

impl<'a> LoginPage<'a> {
    /// The form. `next` is the path to go to afterwards; whoever redirects there checks it again.
    pub fn new(shell: &'a Shell, next: &'a str, email: &str, errors: &[FieldError]) -> Self {
        let fields = vec![
            Field::line("email", "Email address", "email", "username").holding(email),
            Field::line("password", "Password", "password", "current-password"),
        ];
        Self { shell, next, form: Form::new(fields, errors) }
    }
}

/// One of the signed-in person's organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeOrganization {
    /// Its id, as the API prints it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its page is at `/p/{slug}`.
    pub slug: String,
    /// The person's role in it.
    pub role: String,
}

/// Where a person lands after signing in who belongs to several organizations or to none: they choose one, or leave (posts to `/logout`).
#[derive(Template)]
#[template(path = "account/home.html")]
pub struct HomePage<'a> {
    /// Where this instance is.
    pub shell: &'a Shell,
    /// The person's name.
    pub full_name: &'a str,
    /// The person's email address.
    pub email: &'a str,
    /// Their organizations.
    pub organizations: &'a [HomeOrganization],
}

/// What a browser gets in place of problem+json.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// Where this instance is.
    pub shell: &'a Shell,
    /// The HTTP status.
    pub status: u16,
    /// What it is: `Not found`.
    pub title: &'a str,
    /// What to do about it, a sentence; may be empty.
    pub detail: &'a str,
    /// The id under which the log knows this request; may be empty.
    pub request_id: &'a str,
}

fn account_fields(values: &AccountValues, organization: bool) -> Vec<Field> {
    let mut fields = vec![
        Field::line("full_name", "Your name", "text", "name").holding(&values.full_name),
        Field::line("email", "Email address", "email", "email").holding(&values.email),
        Field::line("password", "Password", "password", "new-password").hinting("12 to 128 characters; a few unrelated words are good."),
    ];
    if organization {
        fields.push(
            Field::line("organization_name", "Organization", "text", "organization")
                .holding(&values.organization_name)
                .hinting("Its public page gets its address from this name."),
        );
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn shell() -> Shell {
        Shell { base_url: "https://example.org/status".into() }
    }

    fn wrong(field: &str, message: &str) -> FieldError {
        FieldError { field: field.into(), message: message.into() }
    }

    fn values(each: &str) -> AccountValues {
        AccountValues { email: each.into(), full_name: each.into(), organization_name: each.into() }
    }

    /// The `<input>` of that name.
    fn input<'a>(html: &'a str, name: &str) -> &'a str {
        let start = html.find(&format!("<input id=\"{name}\"")).unwrap_or_else(|| panic!("no field {name}"));
        html[start..].split_once('>').unwrap().0
    }

    #[test]
    fn an_untouched_form_complains_of_nothing() {
        let shell = shell();
        let html = SetupPage::new(&shell, "t0ken", &AccountValues::default(), &[]).render().unwrap();

        assert!(html.contains("method=\"post\" action=\"/status/setup\""));
        assert!(html.contains("<input type=\"hidden\" name=\"token\" value=\"t0ken\">"));
        for (name, autocomplete) in
            [("full_name", "name"), ("email", "email"), ("password", "new-password"), ("organization_name", "organization")]
        {
            assert!(input(&html, name).contains(&format!("autocomplete=\"{autocomplete}\"")), "{name}");
            assert!(html.contains(&format!("<label for=\"{name}\">")), "{name}");
        }
        assert!(!html.contains("aria-invalid") && !html.contains("autofocus") && !html.contains("class=\"wrong\""));
        assert!(input(&html, "password").contains("aria-describedby=\"password-hint\""));
    }

    #[test]
    fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong_twice() {
        let shell = shell();
        let errors = [
            wrong("email", "is taken"),
            wrong("password", "must be 12 to 128 characters long"),
            wrong("token", "has expired"),
            wrong("", "Try again later."),
        ];
        let html = SignupPage::new(&shell, None, &values("ada@example.org"), &errors).render().unwrap();

        assert!(input(&html, "email").contains("value=\"ada@example.org\""));
        assert!(input(&html, "email").contains("aria-describedby=\"email-error\" aria-invalid=\"true\""));
        assert!(input(&html, "password").contains("aria-describedby=\"password-hint password-error\" aria-invalid=\"true\""));
        assert!(input(&html, "password").contains("value=\"\""));
        assert!(!input(&html, "full_name").contains("aria-invalid"));
        assert!(html.contains("<p class=\"wrong\" id=\"email-error\">Email address is taken</p>"));

        let summary = html.split_once("id=\"problems\"").unwrap().1.split_once("</div>").unwrap().0;
        assert!(summary.contains("tabindex=\"-1\" autofocus"));
        assert!(summary.contains("<li><a href=\"#email\">Email address is taken</a></li>"));
        assert!(summary.contains("<li>token has expired</li>") && summary.contains("<li>Try again later.</li>"));
    }

    #[test]
    fn the_first_of_two_errors_of_a_field_stands_beside_it_and_both_in_the_summary() {
        let shell = shell();
        let html = LoginPage::new(&shell, "", "x", &[wrong("email", "one"), wrong("email", "two")]).render().unwrap();
        assert_eq!(html.matches("Email address one").count(), 2);
        assert_eq!(html.matches("Email address two").count(), 1);
    }

    #[test]
    fn an_invited_person_founds_no_organization() {
        let shell = shell();
        let html = SignupPage::new(&shell, Some("v4.local.x"), &values(""), &[]).render().unwrap();
        assert!(html.contains("name=\"invite_token\" value=\"v4.local.x\"") && !html.contains("organization_name"));
    }

    #[test]
    fn signing_in_keeps_the_address_and_the_way() {
        let shell = shell();
        let html = LoginPage::new(&shell, "/o/acme", "ada@example.org", &[]).render().unwrap();
        assert!(html.contains("action=\"/status/login\"") && html.contains("name=\"next\" value=\"/o/acme\""));
        assert!(input(&html, "email").contains("autocomplete=\"username\" value=\"ada@example.org\""));
        assert!(input(&html, "password").contains("autocomplete=\"current-password\""));
        assert!(!LoginPage::new(&shell, "", "", &[]).render().unwrap().contains("name=\"next\""));
    }

    #[test]
    fn home_leads_to_each_organization_and_its_public_page() {
        let shell = shell();
        let acme = HomeOrganization { id: "org_1".into(), name: "Acme".into(), slug: "acme".into(), role: "admin".into() };
        let page = |organizations: &[HomeOrganization]| {
            HomePage { shell: &shell, full_name: "Ada", email: "ada@example.org", organizations }.render().unwrap()
        };

        let none = page(&[]);
        assert!(none.contains("You belong to no organization yet.") && none.contains("invite ada@example.org"));
        assert!(none.contains("<form method=\"post\" action=\"/status/logout\""));
        let many = page(&std::iter::repeat_n(acme, 50).collect::<Vec<_>>());
        assert_eq!(many.matches("<li class=\"item\">").count(), 50);
        assert_eq!(many.matches("href=\"/status/o/acme\"").count(), 50);
        assert_eq!(many.matches("href=\"/status/p/acme\"").count(), 50);
    }

    #[test]
    fn an_error_says_what_and_under_which_id() {
        let shell = shell();
        let page = ErrorPage { shell: &shell, status: 404, title: "Not found", detail: "There is nothing here.", request_id: "r-1" };
        let html = page.render().unwrap();
        assert!(html.contains("<title>Not found · Allclear</title>") && html.contains("<h1>Not found</h1>"));
        assert!(html.contains("There is nothing here.") && html.contains("404 · Request id: <code>r-1</code>"));
        assert!(!ErrorPage { detail: "", request_id: "", ..page }.render().unwrap().contains("Request id"));
    }

    #[test]
    fn nothing_hostile_gets_out_of_its_place() {
        let shell = shell();
        let errors = [wrong("email", EVIL), wrong(EVIL, EVIL)];
        let organization = HomeOrganization { id: EVIL.into(), name: EVIL.into(), slug: EVIL.into(), role: EVIL.into() };
        let long = EVIL.repeat(500);
        for html in [
            SetupPage::new(&shell, EVIL, &values(EVIL), &errors).render().unwrap(),
            SignupPage::new(&shell, Some(EVIL), &values(&long), &errors).render().unwrap(),
            LoginPage::new(&shell, EVIL, EVIL, &errors).render().unwrap(),
            HomePage { shell: &shell, full_name: EVIL, email: EVIL, organizations: &[organization] }.render().unwrap(),
            ErrorPage { shell: &shell, status: 500, title: EVIL, detail: EVIL, request_id: EVIL }.render().unwrap(),
        ] {
            assert!(!html.contains("<script>") && !html.contains("=\"\">"), "{html}");
            assert!(!html.contains(" style=") && !html.contains("<style"));
        }
    }
}
