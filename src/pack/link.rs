use super::title::is_name;

/// Whether a symbolic link, `depth` folders below the root, leads to something below the root whatever the rest of the
/// tree is. `..` counts at the beginning only: after a name, which may itself be a link, it may lead anywhere.
pub(super) fn stays_inside(depth: usize, target: &str) -> bool {
    let mut left = depth;
    let mut seen_name = false;
    !target.is_empty()
        && !target.starts_with('/')
        && !target.contains('\0')
        && target.split('/').all(|part| match part {
            "" | "." => true,
            ".." if seen_name || left == 0 => false,
            ".." => {
                left -= 1;
                true
            }
            _ => {
                seen_name = true;
                is_name(part)
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_climb_as_far_as_it_is_deep() {
        for (depth, target) in [(0, "a"), (0, "./a/b/"), (1, "../a"), (2, "../../a"), (1, ".."), (0, ".")] {
            assert!(stays_inside(depth, target), "{depth} {target}");
        }
        for (depth, target) in
            [(0, ""), (0, "/a"), (0, ".."), (0, "../a"), (1, "../../a"), (3, "a/../b"), (3, "../a/.."), (0, "a\0")]
        {
            assert!(!stays_inside(depth, target), "{depth} {target}");
        }
    }
}
