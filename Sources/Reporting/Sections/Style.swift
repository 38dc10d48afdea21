/// The page's look. Two colour schemes by the reader's setting; paper is always light.
enum Style {
    static let rules: HTML = """
        :root{\(light)color-scheme:light dark}\(ColourScale.lightRules)
        @media (prefers-color-scheme:dark){:root{\(dark)}\(ColourScale.darkRules)}
        \(text)\(summary)\(tables)\(plots)\(print)
        """

    private static let light: HTML = """
        --back:#fff;--panel:#f5f7fa;--text:#1a2027;--soft:#55606c;--rule:#d9dfe6;--accent:#0b5cad;\
        --good:#176c38;--good-back:#e8f5ec;--bad:#a8201a;--bad-back:#fcebea;\
        --s0:#0072b2;--s1:#c65102;--s2:#00815f;--s3:#a04a86;--s4:#8a6a00;--s5:#3b3b3b;--bar:#3a7fc1;
        """

    private static let dark: HTML = """
        --back:#10151b;--panel:#181f27;--text:#e4e9ee;--soft:#9ba7b4;--rule:#2c3640;--accent:#74b6ff;\
        --good:#6fd08c;--good-back:#14291c;--bad:#ff9088;--bad-back:#331816;\
        --s0:#56b4e9;--s1:#f0994d;--s2:#3fc79a;--s3:#dd8fc3;--s4:#e6c84a;--s5:#d0d0d0;--bar:#5b9fe0;
        """

    private static let text: HTML = """
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--back);color:var(--text);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;\
        font-variant-numeric:tabular-nums}
        main{max-width:1060px;margin:0 auto;padding:40px 28px 64px}
        h1{font-size:30px;line-height:1.2;margin:0 0 10px;letter-spacing:-.015em;overflow-wrap:anywhere;text-wrap:balance}
        h2{font-size:20px;line-height:1.3;margin:0 0 12px;letter-spacing:-.01em}
        h3{font-size:16px;margin:28px 0 6px}
        p{margin:0 0 14px;max-width:74ch}
        section{margin-top:44px;padding-top:28px;border-top:1px solid var(--rule)}
        #summary{margin-top:0;padding-top:0;border:0}
        a{color:var(--accent)}
        code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
        code{overflow-wrap:anywhere;unicode-bidi:isolate}
        pre{background:var(--panel);border:1px solid var(--rule);border-radius:6px;padding:12px 14px;overflow-x:auto;white-space:pre-wrap}
        .note{color:var(--soft);font-size:13px}
        nav ul{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin:26px 0 0;padding:0;font-size:14px}
        .differences{font-size:13px}

        """

    private static let summary: HTML = """
        .kicker{margin:0 0 6px;color:var(--soft);font-size:13px;font-weight:600;letter-spacing:.06em;text-transform:uppercase}
        .lead{font-size:17px;line-height:1.5;max-width:66ch}
        .verdict{display:flex;gap:14px;align-items:center;margin:20px 0;padding:13px 16px;border:1px solid var(--rule);border-left-width:5px;border-radius:8px;background:var(--panel)}
        .verdict p{margin:0;max-width:none}
        .verdict strong{margin-right:6px}
        .sign{flex:none;display:grid;place-items:center;width:30px;height:30px;border-radius:50%;border:2px solid currentColor;font-weight:700;line-height:1}
        .verdict.none .sign{color:var(--soft)}
        .pass{border-color:var(--good);background:var(--good-back)}
        .pass .sign,.pass strong,.met{color:var(--good)}
        .fail{border-color:var(--bad);background:var(--bad-back)}
        .fail .sign,.fail strong,.unmet{color:var(--bad)}
        .met,.unmet{font-weight:600;white-space:nowrap}
        .tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin:20px 0}
        .tile{border:1px solid var(--rule);border-radius:8px;padding:14px 16px;background:var(--panel)}
        .tile h2{font-size:13px;font-weight:600;color:var(--soft);letter-spacing:0;margin:0 0 4px}
        .value{font-size:25px;font-weight:650;line-height:1.2;letter-spacing:-.015em;margin:0 0 8px}
        .value small{display:block;font-size:13px;font-weight:500;letter-spacing:0;color:var(--soft);margin-top:2px}
        .tile ul{list-style:none;margin:0;padding:0;font-size:13px;line-height:1.45}
        .tile li+li{margin-top:3px}
        .facts{margin:18px 0}
        .facts>div{display:grid;grid-template-columns:130px 1fr;gap:16px;padding:7px 0;border-top:1px solid var(--rule)}
        .facts>div:last-child{border-bottom:1px solid var(--rule)}
        .facts dt{color:var(--soft)}
        .facts dd{margin:0;min-width:0}
        @media (max-width:860px){.tiles{grid-template-columns:repeat(2,1fr)}}
        @media (max-width:520px){main{padding:24px 16px 48px}.tiles{grid-template-columns:1fr}.facts>div{grid-template-columns:1fr;gap:0}}

        """

    private static let tables: HTML = """
        .scroll{overflow-x:auto;margin:18px 0}
        table{border-collapse:collapse;width:100%;font-size:14px}
        caption{text-align:left;font-weight:600;padding:0 0 6px}
        th,td{padding:5px 0 5px 18px;text-align:right;vertical-align:top;border-top:1px solid var(--rule);white-space:nowrap;font-weight:400}
        th:first-child,td:first-child{padding-left:0}
        thead th{color:var(--soft);font-size:12.5px;vertical-align:bottom;border-top:0}
        tbody tr:last-child>*{border-bottom:1px solid var(--rule)}
        .t{text-align:left}
        th.t code,td.t code{white-space:normal}
        tbody tr:hover>*{background:var(--panel)}
        .gates th,.gates td{white-space:normal}
        .dense{font-size:12.5px}
        .dense th,.dense td{padding:3px 0 3px 12px}
        .hashes code{font-size:12px}
        .bar{display:inline-block;vertical-align:baseline;width:90px;height:9px;margin-right:9px;background:var(--rule);border-radius:2px;overflow:hidden}
        .bar i{display:block;height:100%;background:var(--bar)}
        details{margin-top:6px;font-size:13px}
        summary{cursor:pointer;color:var(--accent)}
        details .scroll{max-width:520px}
        .beside{display:grid;grid-template-columns:1fr 1fr;gap:0 40px;align-items:start}
        @media (max-width:760px){.beside{grid-template-columns:1fr}}

        """

    private static let plots: HTML = """
        figure{margin:20px 0}
        figcaption{font-weight:600;font-size:14px;margin-bottom:8px}
        .plot{display:block;width:100%;height:auto;overflow:visible}
        .plot text:where(:not([class^=c])){fill:var(--soft)}.plot text{font-size:12px}
        .plot text.name{font-size:12.5px}
        .heat [class^=c]{font-size:11.5px}
        .grid{stroke:var(--rule)}
        .axis{stroke:var(--soft)}
        .bound{stroke:var(--text);stroke-width:1.4;stroke-dasharray:5 4}
        .plot text.bound-name{fill:var(--text)}
        .marker{stroke:var(--s1);stroke-width:1.3}
        .plot text.marker-name{fill:var(--text);font-size:12px}
        .bars rect{fill:var(--bar)}
        .bars rect:hover,.heat rect:hover{stroke:var(--text);stroke-width:1.5}
        .s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}.s5{fill:var(--s5)}
        .plot [class^=s]{fill-opacity:.75}
        .key{width:14px;height:14px;vertical-align:-2px;margin-right:5px}
        .legend{margin:10px 0 0;font-size:13px;color:var(--soft)}
        .legend>span{margin-right:16px;white-space:nowrap}
        .legend i{display:inline-block;width:18px;height:12px;vertical-align:-1px}
        .legend>span>i{margin-right:6px;border-radius:2px}
        .legend b{display:inline-flex;margin:0 8px;vertical-align:-1px}
        .plots{display:grid;grid-template-columns:1fr 1fr;gap:0 36px;align-items:start}
        .plots figure{margin:8px 0;min-width:0}
        .plots .wide{grid-column:1/-1}
        .strip{width:260px}
        .value{stroke-width:1.6}
        .strip .value{stroke:var(--bar)}
        @media (max-width:760px){.plots{grid-template-columns:1fr}}

        """


    private static let print: HTML = """
        @page{size:A4;margin:15mm 13mm 16mm;@bottom-right{content:counter(page) " / " counter(pages);font:8pt system-ui,sans-serif;color:#666}}
        @page wide{size:A4 landscape}
        @media print{
        :root{\(light)color-scheme:light}\(ColourScale.lightRules)
        *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
        body{font-size:9.5pt;line-height:1.45}
        main{max-width:none;padding:0}
        h1{font-size:20pt}h2{font-size:13.5pt}h3{font-size:11pt}
        .lead{font-size:11pt}
        nav,details{display:none}
        section{margin-top:18pt;padding-top:12pt}
        h2,h3,figcaption,caption{break-after:avoid}
        figure,.tile,.verdict,tr,.facts>div,pre{break-inside:avoid}
        .tiles{grid-template-columns:repeat(4,1fr);gap:8px}
        .tile{padding:9px 11px}
        .tile ul,.note,.legend{font-size:8pt}
        .value{font-size:15pt}.value small{font-size:8pt}
        .scroll{overflow:visible}
        table{font-size:8.5pt}
        th,td{padding:3px 0 3px 10px}
        thead{display:table-header-group}
        thead th{font-size:8pt}
        .hashes code{font-size:7pt}
        .dense{font-size:7.8pt}
        .dense th,.dense td{padding:2px 0 2px 8px}
        .plots,.beside{grid-template-columns:1fr 1fr}
        .appendix{page:wide;break-before:page;border:0;padding-top:0;margin-top:0}
        a{color:inherit;text-decoration:none}
        }
        """
}
