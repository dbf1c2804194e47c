//! The public page's logo, chosen and removed with script, while the other form of the page is half filled in.

use fantoccini::Locator;

use super::driver::Browser;
use crate::admin_settings::png;
use crate::harness::Server;

const NOTICES: &str = "document.getElementById('toasts').innerText";
/// Both pictures are there, on the light ground and on the dark one, and are what was chosen.
const SHOWN: &str = "(() => {
    const pictures = [...document.querySelectorAll('#logo img')];
    return pictures.length === 2 && pictures.every(({ complete, naturalWidth }) => complete && naturalWidth === 240);
})()";

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_comes_and_goes_and_what_is_typed_beside_it_stays() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("logo.png");
    std::fs::write(&file, png(240, 80)).expect("it is written");
    let browser = Browser::open(true).await;
    browser.be(&server, &ada).await;
    browser.goto(&format!("{}/o/{}/page", server.base(), ada.slug)).await;
    browser.wait_for("document.querySelector('dialog#keys') !== null").await;
    browser.value("(window.mark = 'the same document', true)").await;
    browser.type_into("description", "Ask **us** first.").await;
    let is_undisturbed = async |after: &str| {
        assert_eq!(browser.value("document.getElementById('description').value").await, "Ask **us** first.", "{after}");
        assert_eq!(browser.value("window.mark").await, "the same document", "{after}");
    };

    let chooser = browser.window.find(Locator::Css("#logo-new input[type=file]")).await.expect("the field");
    chooser.send_keys(file.to_str().expect("text")).await.expect("it takes a file");
    browser.click("#logo-new button").await;
    browser.wait_for(&format!("{NOTICES}.includes('The logo is saved.')")).await;
    browser.wait_for(SHOWN).await;
    is_undisturbed("the upload").await;
    assert_eq!(browser.value("document.querySelector('#logo-new input[type=file]').files.length").await, 0, "it was sent");
    assert_eq!(ada.new_events().await, ["page.updated"]);

    // Nothing brings it back: the first click only asks. The notice could lie over it.
    browser.value("(document.getElementById('toasts').replaceChildren(), true)").await;
    browser.click("#logo-remove > summary").await;
    browser.reads("There is no undo").await;
    assert_eq!(browser.value(SHOWN).await, true);
    browser.click("#logo-remove-form button").await;
    browser.wait_for(&format!("{NOTICES}.includes('The logo is removed.')")).await;
    browser.wait_for("document.querySelector('#logo img, #logo-remove') === null").await;
    is_undisturbed("the removal").await;
    assert_eq!(ada.new_events().await, ["page.updated"]);
}
