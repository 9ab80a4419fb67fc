use std::{fs, io};

use clap::CommandFactory;

use super::{
    arguments::{Arguments, ManArguments},
    complain, print_bytes,
};
use crate::event::ExitCode;

/// `consign man [DIR]`
pub(super) fn manual(command: &ManArguments) -> io::Result<ExitCode> {
    let Some(folder) = &command.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
        print_bytes(&page)?;
        return Ok(ExitCode::Success);
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    Ok(match written {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            complain(&format!("the manual pages cannot be written to `{}`: {error}", folder.display()));
            ExitCode::Failed
        }
    })
}
