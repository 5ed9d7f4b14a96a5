//! Requests that a store hands on as they are to the one it stands in front of: written once, for all stores that change
//! only some.

/// Methods of [`object_store::ObjectStore`] that ask the field of that name the same. Stands in the `impl` beside those
/// that the store answers itself.
///
/// They are written as `async_trait` makes them, because it does not look into a macro.
#[macro_export]
macro_rules! passes_on {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::passes_on!(@$method $inner);)+
    };
    (@put_opts $inner:ident) => {
        $crate::passes_on!(@later $inner put_opts(
            path: &'path ::object_store::path::Path,
            payload: ::object_store::PutPayload,
            options: ::object_store::PutOptions,
        ) -> ::object_store::PutResult);
    };
    (@put_multipart_opts $inner:ident) => {
        $crate::passes_on!(@later $inner put_multipart_opts(
            path: &'path ::object_store::path::Path,
            options: ::object_store::PutMultipartOptions,
        ) -> ::std::boxed::Box<dyn ::object_store::MultipartUpload>);
    };
    (@get_opts $inner:ident) => {
        $crate::passes_on!(@later $inner get_opts(
            path: &'path ::object_store::path::Path,
            options: ::object_store::GetOptions,
        ) -> ::object_store::GetResult);
    };
    (@list_with_delimiter $inner:ident) => {
        $crate::passes_on!(@later $inner list_with_delimiter(
            prefix: ::std::option::Option<&'path ::object_store::path::Path>,
        ) -> ::object_store::ListResult);
    };
    (@copy_opts $inner:ident) => {
        fn copy_opts<'store, 'from, 'to, 'answer>(
            &'store self,
            from: &'from ::object_store::path::Path,
            to: &'to ::object_store::path::Path,
            options: ::object_store::CopyOptions,
        ) -> ::futures::future::BoxFuture<'answer, ::object_store::Result<()>>
        where
            'store: 'answer,
            'from: 'answer,
            'to: 'answer,
            Self: 'answer,
        {
            self.$inner.copy_opts(from, to, options)
        }
    };
    (@later $inner:ident $method:ident($($name:ident: $kind:ty),+ $(,)?) -> $answer:ty) => {
        fn $method<'store, 'path, 'answer>(
            &'store self,
            $($name: $kind),+
        ) -> ::futures::future::BoxFuture<'answer, ::object_store::Result<$answer>>
        where
            'store: 'answer,
            'path: 'answer,
            Self: 'answer,
        {
            self.$inner.$method($($name),+)
        }
    };
    (@delete_stream $inner:ident) => {
        fn delete_stream(
            &self,
            paths: ::futures::stream::BoxStream<
                'static,
                ::object_store::Result<::object_store::path::Path>,
            >,
        ) -> ::futures::stream::BoxStream<
            'static,
            ::object_store::Result<::object_store::path::Path>,
        > {
            self.$inner.delete_stream(paths)
        }
    };
    (@list $inner:ident) => {
        fn list(
            &self,
            prefix: ::std::option::Option<&::object_store::path::Path>,
        ) -> ::futures::stream::BoxStream<
            'static,
            ::object_store::Result<::object_store::ObjectMeta>,
        > {
            self.$inner.list(prefix)
        }
    };
    (@list_with_offset $inner:ident) => {
        fn list_with_offset(
            &self,
            prefix: ::std::option::Option<&::object_store::path::Path>,
            offset: &::object_store::path::Path,
        ) -> ::futures::stream::BoxStream<
            'static,
            ::object_store::Result<::object_store::ObjectMeta>,
        > {
            self.$inner.list_with_offset(prefix, offset)
        }
    };
}
