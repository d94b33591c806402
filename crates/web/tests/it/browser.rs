//! A browser without scripts: keeps cookies, follows redirects when told to, sends the forms it
//! sees.

use axum::http::Method;
use chancery_engine::access::NewAccount;
use chancery_engine::{Context, Role, Secret};
use chancery_testkit::{Answer, Call, TestServer};

/// What the accounts of [`Browser::sign_in_as`] begin with, and what they change it to.
pub const FIRST: &str = "a first password of some length";
const SECOND: &str = "another password of some length";

pub struct Browser<'a> {
    server: &'a TestServer,
    cookies: Vec<(String, String)>,
    csrf: String,
}

impl<'a> Browser<'a> {
    /// Nobody yet.
    pub fn new(server: &'a TestServer) -> Self {
        Self { server, cookies: Vec::new(), csrf: String::new() }
    }

    /// Somebody with a role, signed in through the pages.
    pub async fn sign_in_as(server: &'a TestServer, role: Role) -> Self {
        let context = Context::command_line(server.engine().environment());
        let name = format!("{role}.one");
        let new = NewAccount {
            name: name.clone(),
            display_name: "<b>bold</b>".to_owned(),
            email: None,
            role: role.to_string(),
            password: Some(Secret::new(FIRST.to_owned())),
            expires_at: None,
        };
        server.engine().create_account(&context, new).await.expect("an account");
        let mut browser = Self::new(server);
        let fields = [("name", name.as_str()), ("password", FIRST), ("next", "/events")];
        let answer = browser.post("/login", &fields).await.expect(303);
        if answer.header("location") == "/account/password" {
            browser.get("/account/password").await.expect(200);
            let fields = [("present_password", FIRST), ("new", SECOND), ("again", SECOND)];
            browser.post("/account/password", &fields).await.expect(303);
        }
        browser.get("/account").await.expect(200);
        browser
    }

    fn call(&self, method: Method, path: &str) -> Call {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.server.call(method, path).header("cookie", &cookies.join("; "))
    }

    /// Keeps the cookies and the token of the answer.
    fn keep(&mut self, answer: Answer) -> Answer {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().expect("a cookie");
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.retain(|(kept, _)| kept != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let text = answer.text();
        let token = text
            .split_once("name=\"csrf\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"').map(|(token, _)| token.to_owned()));
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            self.csrf = token;
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.call(Method::GET, path).send().await;
        self.keep(answer)
    }

    /// A stream or download that is not read as a page.
    pub async fn open(&self, path: &str) -> axum::response::Response {
        self.call(Method::GET, path).open().await
    }

    /// Sends a form with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_exactly(path, &all).await
    }

    /// Sends a form as it is.
    pub async fn post_exactly(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let answer = self.call(Method::POST, path).form(&pairs.join("&")).send().await;
        self.keep(answer)
    }

    /// Sends a form with one file in the field `files`.
    pub async fn upload(&mut self, path: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
        self.send_file(path, fields, ("files", "a.pem"), file).await
    }

    /// Sends a form with one file in a field, under a name. A file without bytes is what a browser
    /// sends where none was chosen.
    pub async fn send_file(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        (field, file_name): (&str, &str),
        file: &[u8],
    ) -> Answer {
        let mut body = Vec::new();
        let mut part = |head: String, bytes: &[u8]| {
            body.extend_from_slice(
                format!("--x-y\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        };
        part("name=\"csrf\"".to_owned(), self.csrf.as_bytes());
        for (name, value) in fields {
            part(format!("name=\"{name}\""), value.as_bytes());
        }
        part(format!("name=\"{field}\"; filename=\"{file_name}\""), file);
        body.extend_from_slice(b"--x-y--\r\n");
        let call = self.call(Method::POST, path);
        let answer = call.body("multipart/form-data; boundary=x-y", body).send().await;
        self.keep(answer)
    }

    /// Follows a redirect.
    pub async fn follow(&mut self, answer: Answer) -> Answer {
        let to = answer.expect(303).header("location").to_owned();
        self.get(&to).await
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What a browser would send of the form with this action, if nobody touched it: boxes that are
/// ticked, the option that is chosen or else the first, and no buttons.
pub fn form(page: &str, action: &str) -> Vec<(String, String)> {
    let start = format!("action=\"{action}\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {action}: {page}"));
    let (form, _) = rest.split_once("</form>").expect("an end");
    let mut fields = Vec::new();
    for piece in form.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let (name, value) = (attribute(tag, "name"), attribute(tag, "value"));
        let is = |word: &str| tag.split_whitespace().any(|part| part == word);
        match tag.split_whitespace().next().unwrap_or_default() {
            "input" if attribute(tag, "type").as_deref() == Some("checkbox") && !is("checked") => {}
            // One without a name is not sent.
            "input" => fields.extend(name.map(|name| (name, value.unwrap_or_default()))),
            "textarea" => fields.push((name.expect("a name"), plain(text))),
            "select" => fields.push((name.expect("a name"), String::new())),
            "option" if is("selected") || first_option(form, piece) => {
                fields.last_mut().expect("a select").1 = value.expect("a value");
            }
            _ => {}
        }
    }
    fields
}

/// Whether an option is the first of its select: what is sent where none is chosen.
fn first_option(form: &str, piece: &str) -> bool {
    let place = piece.as_ptr() as usize - form.as_ptr() as usize;
    form[..place]
        .trim_end_matches('<')
        .trim_end()
        .rsplit('<')
        .next()
        .is_some_and(|before| before.starts_with("select "))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| plain(value))
}

fn plain(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (of, to)| text.replace(of, to))
}
