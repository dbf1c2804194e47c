//! The public page's logo.

use poem::{Response, handler};

use super::public_page::{self, Typed};
use super::upload::Upload;
use crate::access::Edit;
use crate::domain::logo;
use crate::domain::page::{self, Page};
use crate::error::{Error, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::told::Done;
use crate::pages::answer::Refused;
use crate::store::OrgView;

/// `POST /o/:org/page/logo`.
#[handler]
pub(crate) async fn upload_logo(desk: Desk, upload: Upload) -> poem::Result<Response> {
    // Who may not change the page can't have pictures unpacked either.
    desk.web.app.read(desk.caller.actor(), desk.org, |_: &OrgView<'_, Edit>| Ok(())).await?;
    let refused = match upload.0 {
        Ok(file) => match set(&desk, file).await {
            Ok(page) => return Ok(desk.done("/page#logo", Done::LogoSaved, page.id)?),
            Err(error) => Refused::by(error)?,
        },
        Err(refused) => refused,
    };
    Ok(public_page::page(&desk, Typed::Logo(&refused)).await?)
}

async fn set(desk: &Desk, file: Vec<u8>) -> Result<Page> {
    let logo = tokio::task::spawn_blocking(move || logo::decode(&file)).await.map_err(Error::internal)??;
    desk.change(move |tx| page::set_logo(tx, logo)).await
}

/// `POST /o/:org/page/logo/remove`. Of a page without one it says the same.
#[handler]
pub(crate) async fn remove_logo(desk: Desk) -> poem::Result<Response> {
    let page = desk.change(page::remove_logo).await?;
    Ok(desk.done("/page#logo", Done::LogoRemoved, page.id)?)
}
