//! Request headers as documented parameters.

/// Makes a type an optional header of an operation, read by its own `of(&Request) -> crate::error::Result<Self>`.
macro_rules! header_parameter {
    ($type:ty) => {
        impl<'a> poem_openapi::ApiExtractor<'a> for $type {
            const TYPES: &'static [poem_openapi::ApiExtractorType] = &[poem_openapi::ApiExtractorType::Parameter];

            type ParamType = ();
            type ParamRawType = ();

            fn param_in() -> Option<poem_openapi::registry::MetaParamIn> {
                Some(poem_openapi::registry::MetaParamIn::Header)
            }

            fn param_schema_ref() -> Option<poem_openapi::registry::MetaSchemaRef> {
                Some(<String as poem_openapi::types::Type>::schema_ref())
            }

            async fn from_request(
                request: &'a poem::Request,
                _: &mut poem::RequestBody,
                _: poem_openapi::ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                <$type>::of(request).map_err(poem::Error::from)
            }
        }
    };
}
pub(super) use header_parameter;
