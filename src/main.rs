//! The `consign` program.

fn main() -> std::process::ExitCode {
    consign::cli::main()
}
