//! Builds the program again when a file of the console comes or goes: the macro that takes them in sees only changes in
//! those that it knows.

fn main() {
    println!("cargo::rerun-if-changed=console");
}
