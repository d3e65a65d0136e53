use super::*;

fn stanzas(text: &str, origin: Origin) -> String {
    let mut sources = Sources::default();
    sources.add_stanzas(text, origin);
    sources.stanzas
}

fn lines(text: &str, origin: Origin) -> String {
    let mut sources = Sources::default();
    sources.add_lines(text, origin);
    sources.lines
}

#[test]
fn stanzas_of_debian_lose_their_architecture() {
    let text = "\
# a comment
Types: deb deb-src
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.test/node
Suites: nodistro
Components: main
";
    let expected = "\
Types: deb
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

";
    assert_eq!(stanzas(text, Origin::Unknown), expected);
}

#[test]
fn disabled_and_source_stanzas_do_not_count() {
    let with = |types: &str, enabled: &str| {
        format!("Types: {types}\nEnabled: {enabled}\nURIs: http://m.test/debian/\nSuites: s\nComponents: main\n")
    };
    assert_eq!(stanzas(&with("deb", "no"), Origin::Unknown), "");
    assert_eq!(stanzas(&with("deb-src", "yes"), Origin::Unknown), "");
    assert_ne!(stanzas(&with("deb", "yes"), Origin::Unknown), "");
}

#[test]
fn lines_of_debian_lose_their_architecture() {
    let text = "\
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # own
deb-src http://mirror.test/debian bookworm main
deb http://mirror.test/linux/debian bookworm stable
deb cdrom:[Debian 12]/ bookworm main
deb http://mirror.test/apt sdk main
";
    let expected = "deb [signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib\n";
    assert_eq!(lines(text, Origin::Unknown), expected);
}

#[test]
fn debians_own_file_may_name_any_mirror() {
    let text = "deb http://mirror.test/proxy/os-packages bookworm main\n";
    assert_eq!(lines(text, Origin::Unknown), "");
    assert_eq!(lines(text, Origin::Debian), text);
}

#[test]
fn archives_are_known_by_their_layout() {
    for uri in [
        "http://m.test/debian",
        "https://m.test/pub/debian/",
        "http://m.test/debian-security",
        "http://m.test/archive/debian/20250520T000000Z",
        "mirror+file:///etc/apt/mirrors/debian.list",
    ] {
        assert!(is_debian_archive(uri), "{uri}");
    }
    for uri in ["http://m.test/ubuntu", "http://m.test/debian/12/prod", ""] {
        assert!(!is_debian_archive(uri), "{uri}");
    }
}

#[test]
fn the_host_s_files_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let apt = folder.path();
    fs::create_dir(apt.join("sources.list.d")).unwrap();
    fs::write(apt.join("sources.list"), "deb http://m.test/x bookworm main\n").unwrap();
    fs::write(
        apt.join("sources.list.d/debian.sources"),
        "Types: deb\nURIs: http://m.test/y\nSuites: bookworm\nComponents: main\n",
    )
    .unwrap();
    let os_release = apt.join("os-release");
    fs::write(&os_release, "ID=ubuntu\n").unwrap();
    assert!(Sources::of_host(apt, &os_release).is_empty());
    fs::write(&os_release, "NAME=x\nID=debian\n").unwrap();
    let sources = Sources::of_host(apt, &os_release);
    assert!(sources.lines.contains("/x ") && sources.stanzas.contains("/y\n"));
}
