use super::*;

/// A relocatable ELF file with the one section `.modinfo`.
fn module(modinfo: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    let info_at = 64;
    let names_at = info_at + modinfo.len() as u64;
    let sections_at = (names_at + NAMES.len() as u64).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([1u16, 183].into_iter().flat_map(u16::to_le_bytes));
    file.extend(1u32.to_le_bytes());
    file.extend([0, 0, sections_at].into_iter().flat_map(u64::to_le_bytes));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 0, 0, 64, 3, 2].into_iter().flat_map(u16::to_le_bytes));
    file.extend(modinfo);
    file.extend(NAMES);
    file.resize(sections_at as usize, 0);
    for (name, kind, at, size) in
        [(0u32, 0u32, 0, 0), (1, 1, info_at, modinfo.len() as u64), (10, 3, names_at, NAMES.len() as u64)]
    {
        file.extend([name, kind].into_iter().flat_map(u32::to_le_bytes));
        file.extend([0, 0, at, size].into_iter().flat_map(u64::to_le_bytes));
        file.extend([0, 0].into_iter().flat_map(u32::to_le_bytes));
        file.extend([1, 0].into_iter().flat_map(u64::to_le_bytes));
    }
    file
}

#[test]
fn a_module_names_what_it_needs() {
    let needs = |text: &[u8]| depends(&module(text));
    assert_eq!(needs(b"license=GPL\0depends=\0name=x\0"), Some(vec![]));
    assert_eq!(needs(b"alias=pmem\0depends=lib-nvdimm,dax\0").unwrap(), ["lib_nvdimm", "dax"]);
    assert_eq!(needs(b"license=GPL\0"), None);
    assert_eq!(depends(b"no module"), None);
}

#[test]
fn what_is_wanted_is_collected_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("package/lib/modules/6.1-x/kernel/drivers");
    fs::create_dir_all(tree.join("nvdimm")).unwrap();
    for (name, modinfo) in [
        ("sbsa_gwdt", "depends=watchdog\0"),
        ("watchdog", "depends=\0"),
        ("nvdimm/of_pmem", "depends=libnvdimm\0"),
        ("nvdimm/nd-pmem", "depends=libnvdimm,dax,nd_btt\0"),
        ("nvdimm/nd_btt", "depends=libnvdimm\0"),
        ("nvdimm/libnvdimm", "depends=\0"),
        ("nvdimm/dax", "depends=\0"),
        ("nvdimm/other", "depends=\0"),
    ] {
        fs::write(tree.join(format!("{name}.ko")), module(modinfo.as_bytes())).unwrap();
    }
    let to = folder.path().join("to");
    assert_eq!(collect(&folder.path().join("package"), &to).unwrap(), 7);
    let to = to.join("lib/modules/6.1-x");
    assert!(to.join("nd_pmem.ko").is_file() && !to.join("other.ko").exists());
    let expected = "\
dax.ko:
libnvdimm.ko:
nd_btt.ko: libnvdimm.ko
nd_pmem.ko: nd_btt.ko dax.ko libnvdimm.ko
of_pmem.ko: libnvdimm.ko
sbsa_gwdt.ko: watchdog.ko
watchdog.ko:
";
    assert_eq!(fs::read_to_string(to.join("modules.dep")).unwrap(), expected);

    fs::remove_file(tree.join("watchdog.ko")).unwrap();
    let failure = collect(&folder.path().join("package"), &folder.path().join("other")).unwrap_err();
    assert!(failure.to_string().contains("no module watchdog"), "{failure}");
}
