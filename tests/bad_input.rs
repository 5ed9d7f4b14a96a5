//! What a user does wrong is refused with a sentence that names the thing and the fix, and changes nothing.
