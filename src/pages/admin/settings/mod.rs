//! Settings: of the public page, for editors; of the organization, for admins.
//!
//! | file | what |
//! |---|---|
//! | `public_page.rs`, `zones.rs` | the page's name, address, description and time zone; the zones that are offered |
//! | `logo.rs`, `upload.rs` | the page's logo; the one file of a form |
//! | `tenant.rs` | the organization's name and address, and its id for programs |
//! | `deletion.rs` | deleting the organization: what is lost, and the name typed |
//! | `address.rs` | what the two addresses have in common |

mod address;
mod deletion;
mod logo;
mod public_page;
mod tenant;
mod upload;
mod zones;

pub(super) use deletion::{delete, delete_form};
pub(super) use logo::{remove_logo, upload_logo};
pub(super) use public_page::{save as save_page, show as page};
pub(super) use tenant::{save as save_organization, show as organization};
