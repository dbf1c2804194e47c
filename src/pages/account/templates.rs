//! The account pages as HTML: set-up, sign-up, sign-in, the plain page after it, and errors.
//!
//! Every form is a real one. What was wrong stands beside its field and, linked, in a summary that takes the focus; what was typed stays,
//! passwords excepted: they are not written into any HTML.

use askama::Template;

use crate::access::Role;
use crate::domain::organization::Own;
use crate::error::FieldError;
use crate::pages::admin::told::Told;
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
        Self { shell, token, form: Form::new(account_fields(values), errors) }
    }
}

/// Sign-up: fields `full_name`, `email`, `password` and `organization_name`; posts to `/signup`. Who comes by an invitation has a form of their
/// own.
#[derive(Template)]
#[template(path = "account/signup.html")]
pub struct SignupPage<'a> {
    shell: &'a Shell,
    form: Form,
}

impl<'a> SignupPage<'a> {
    /// The form, with what was typed and what is wrong with it.
    pub fn new(shell: &'a Shell, values: &AccountValues, errors: &[FieldError]) -> Self {
        Self { shell, form: Form::new(account_fields(values), errors) }
    }
}

/// Sign-in: fields `email`, `password` and, if it is not empty, `next`; posts to `/login`.
#[derive(Template)]
#[template(path = "account/login.html")]
pub struct LoginPage<'a> {
    shell: &'a Shell,
    next: &'a str,
    told: Option<&'static str>,
    /// Whether anyone may make an account.
    is_open: bool,
    form: Form,
}

impl<'a> LoginPage<'a> {
    /// The form. `next` is the path to go to afterwards; whoever redirects there checks it again.
    pub fn new(shell: &'a Shell, next: &'a str, email: &str, errors: &[FieldError]) -> Self {
        let fields = vec![
            Field::line("email", "Email address", "email", "username").holding(email),
            Field::line("password", "Password", "password", "current-password"),
        ];
        Self { shell, next, told: None, is_open: false, form: Form::new(fields, errors) }
    }

    /// It says what was just done, too.
    pub fn telling(self, told: Option<&'static str>) -> Self {
        Self { told, ..self }
    }

    /// It leads to signing up, too, where anyone may make an account.
    pub fn welcoming(self, is_open: bool) -> Self {
        Self { is_open, ..self }
    }
}

/// An organization that the signed-in person belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    /// Its id, as the API prints it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its page is at `/p/{slug}`.
    pub slug: String,
    /// The person's role in it.
    pub role: Role,
    /// Whether the operator has closed it for a while.
    pub is_suspended: bool,
}

impl From<Own> for Belonging {
    fn from(Own { organization, role }: Own) -> Self {
        Self {
            id: organization.id.to_string(),
            is_suspended: organization.suspended_at.is_some(),
            name: organization.name,
            slug: organization.slug,
            role,
        }
    }
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
    pub organizations: &'a [Belonging],
    /// Whether they run this instance.
    pub is_operator: bool,
    /// What was just done.
    pub(crate) told: Option<Told>,
    /// Asks for the name of an organization of their own, of who has none where anyone may make one.
    pub form: Option<Form>,
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

fn account_fields(values: &AccountValues) -> Vec<Field> {
    vec![
        Field::line("full_name", "Your name", "text", "name").holding(&values.full_name),
        Field::line("email", "Email address", "email", "email").holding(&values.email),
        new_password("password", "Password"),
        Field::line("organization_name", "Organization", "text", "organization")
            .holding(&values.organization_name)
            .hinting("Its public page gets its address from this name."),
    ]
}

/// The name of an organization to be.
pub(super) fn organization_form(name: &str, errors: &[FieldError]) -> Form {
    let field = Field::line("name", "Name of the organization", "text", "organization").holding(name);
    Form::new(vec![field.hinting("Its public page gets its address from this name.")], errors)
}

/// A password to be; it says what a good one is.
pub(super) fn new_password(name: &'static str, label: &'static str) -> Field {
    Field::line(name, label, "password", "new-password").hinting("12 to 128 characters; a few unrelated words are good.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::admin::told::Kind;

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
        let html = SignupPage::new(&shell, &values("ada@example.org"), &errors).render().unwrap();

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
    fn signing_in_keeps_the_address_and_the_way() {
        let shell = shell();
        let html = LoginPage::new(&shell, "/o/acme", "ada@example.org", &[]).render().unwrap();
        assert!(html.contains("action=\"/status/login\"") && html.contains("name=\"next\" value=\"/o/acme\""));
        assert!(input(&html, "email").contains("autocomplete=\"username\" value=\"ada@example.org\""));
        assert!(input(&html, "password").contains("autocomplete=\"current-password\""));
        assert!(!LoginPage::new(&shell, "", "", &[]).render().unwrap().contains("name=\"next\""));
    }

    #[test]
    fn signing_in_leads_to_signing_up_where_anyone_may() {
        let shell = shell();
        let login = |is_open| LoginPage::new(&shell, "", "", &[]).welcoming(is_open).render().unwrap();
        assert!(login(true).contains("<a href=\"/status/signup\">Make an account</a>"), "{}", login(true));
        assert!(!login(false).contains("/signup"), "{}", login(false));
    }

    #[test]
    fn signing_in_says_what_was_done_and_what_to_do_without_the_password() {
        let shell = shell();
        let html = LoginPage::new(&shell, "", "", &[]).telling(Some("Your password is changed.")).render().unwrap();
        assert!(html.contains("<p>Your password is changed.</p>") && html.contains("href=\"/status/forgot\""), "{html}");
        assert!(!LoginPage::new(&shell, "", "", &[]).render().unwrap().contains("class=\"told\""));
    }

    fn home<'a>(shell: &'a Shell, each: &'a str, organizations: &'a [Belonging]) -> HomePage<'a> {
        HomePage { shell, full_name: each, email: each, organizations, is_operator: false, told: None, form: None }
    }

    fn organization(each: &str, is_suspended: bool) -> Belonging {
        Belonging { id: each.into(), name: each.into(), slug: each.into(), role: Role::Admin, is_suspended }
    }

    #[test]
    fn home_leads_to_each_organization_and_its_public_page() {
        let (shell, acme) = (shell(), organization("acme", false));
        let html = home(&shell, "ada@example.org", &std::iter::repeat_n(acme, 50).collect::<Vec<_>>()).render().unwrap();
        assert_eq!(html.matches("<li class=\"item\">").count(), 50);
        assert_eq!(html.matches("href=\"/status/o/acme\"").count(), 50);
        assert_eq!(html.matches("href=\"/status/p/acme\"").count(), 50);
        assert!(!html.contains("Suspended") && !html.contains("/status/instance") && !html.contains("class=\"told\""), "{html}");
    }

    #[test]
    fn home_says_what_to_do_where_there_is_none() {
        let shell = shell();
        let html = home(&shell, "ada@example.org", &[]).render().unwrap();
        assert!(html.contains("You belong to no organization.") && html.contains("invite <bdi>ada@example.org</bdi>"), "{html}");
        assert!(html.contains("<form method=\"post\" action=\"/status/logout\"") && html.contains("href=\"/status/account\""), "{html}");
        let left = Told { text: "You have left.", kind: Kind::Done, undo: None };
        let told = HomePage { told: Some(left), is_operator: true, ..home(&shell, "", &[]) }.render().unwrap();
        assert!(told.contains("<p>You have left.</p>") && told.contains("href=\"/status/instance\""), "{told}");
    }

    #[test]
    fn home_asks_for_a_name_where_one_may_make_an_organization() {
        let shell = shell();
        let asking = |typed: &str, errors: &[FieldError]| {
            let form = Some(organization_form(typed, errors));
            HomePage { form, is_operator: true, ..home(&shell, "ada@example.org", &[]) }.render().unwrap()
        };
        let html = asking("", &[]);
        assert!(
            html.contains("method=\"post\" action=\"/status/organizations\"") && !input(&html, "name").contains("aria-invalid"),
            "{html}"
        );
        assert!(html.contains("You belong to no organization.") && html.contains("invite <bdi>ada@example.org</bdi>"), "{html}");
        assert!(!html.contains("/status/instance/organizations"), "one way is enough: {html}");
        let refused = asking(EVIL, &[wrong("name", "must be 1 to 100 characters long")]);
        assert!(refused.contains("id=\"problems\"") && refused.contains("id=\"name-error\"") && !refused.contains("<script>"), "{refused}");
    }

    #[test]
    fn a_suspended_organization_is_marked_and_leads_nowhere() {
        let shell = shell();
        let html = home(&shell, "Ada", &[organization("acme", true)]).render().unwrap();
        assert!(html.contains("Suspended") && html.contains("acme"), "{html}");
        assert!(!html.contains("/status/o/acme") && !html.contains("/status/p/acme"), "{html}");
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
        let organizations = [organization(EVIL, false), organization(EVIL, true)];
        let long = EVIL.repeat(500);
        for html in [
            SetupPage::new(&shell, EVIL, &values(EVIL), &errors).render().unwrap(),
            SignupPage::new(&shell, &values(&long), &errors).render().unwrap(),
            LoginPage::new(&shell, EVIL, EVIL, &errors).render().unwrap(),
            home(&shell, EVIL, &organizations).render().unwrap(),
            ErrorPage { shell: &shell, status: 500, title: EVIL, detail: EVIL, request_id: EVIL }.render().unwrap(),
        ] {
            assert!(!html.contains("<script>") && !html.contains("=\"\">"), "{html}");
            assert!(!html.contains(" style=") && !html.contains("<style"));
        }
    }
}
