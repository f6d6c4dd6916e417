// What the page says, in the languages of its interface.
const WORDS = {
  en: {
    skip: "Skip to content", sections: "Sections", search: "Search", upload: "Upload", space: "Map", audit: "Audit", review: "Review",
    tongue: "Language of this page", theme: "Light or dark", search_title: "Search in any language", question: "Question",
    collection: "Collection", hits: "Hits", filter: "Filter", languages: "Languages", grouped: "Group by language",
    balance: "all languages level", prefer: "Language of the question", hybrid: "Words of the question", hybrid_auto: "count where indexed", hybrid_on: "count", hybrid_off: "do not count", as_learned: "as usual", own: "comes first", balanced: "in balance", blind: "does not count", upload_title: "Make a collection of a file", drop: "Drop a file here, or choose one",
    formats: "CSV, TSV, JSON lines, TMX or plain text, in UTF-8", text_column: "Column of the texts",
    language_column: "Column of the languages", id_column: "Column of the ids", name: "Name",
    language_of_all: "Language, if the file names none", cancel: "Cancel", progress: "Progress", collections: "Collections",
    space_title: "The map of the space", vectors: "Vectors", before: "before alignment", after: "after alignment", lasso: "Lasso",
    nearer: "Zoom in", farther: "Zoom out", whole: "Show all", space_help: "Points: arrow keys move, + and − zoom",
    axes: "The axes are the two main directions of all vectors; what lies apart here is apart, what lies together need not be.",
    audit_title: "Who finds whom?", measure: "Measure", review_title: "Review doubtful links", mentions: "Names, one a line",
    entities: "Entities", link: "Link", open_links: "Or open links: TSV of link, reconcile or graph align", card: "Link",
    accept: "Accept", reject: "Reject", back: "Back", next: "Next", export: "Export as TSV",
    review_help: "Keys work while the link is in focus: A accepts, R rejects, N and P move, 1 to 3 choose a candidate.",
    key_title: "This service needs a key", key: "Key", open: "Open", all: "all", none: "—",
    found: "{n} hits · question read as: {language}", nothing: "Nothing was found.",
    no_collection: "There is no collection yet. Upload a file first.", likely: "answers: {sure}", why: "Why this score",
    score: "Score", score_csls: "2 × nearness to the question, less how near it is to everything: what hits are ranked by",
    score_cosine: "nearness to the question: what hits are ranked by", cosine: "Nearness", probability: "Probability",
    unknown: "not known", metadata: "Metadata", reading: "Reading", encoding: "Encoding {done} of {total}", saving: "Saving",
    adding: "Adding {done} of {total}", waiting: "Waiting", sending: "Sending {percent} %", done: "{rows} passages can be searched",
    cancelled: "Cancelled; nothing was kept", passages: "{n} passages", delete: "Delete", sure_delete: "Delete {name} and all its passages?",
    choose: "Choose a file first.", points: "{n} of {total} passages.", no_before: "These vectors were not aligned: there is no before.",
    no_webgl: "This browser draws no WebGL, which the map needs.", caught: "{n} passages in the lasso; the first {shown}:",
    rows_ask: "Questions in", columns_find: "find texts in (share of hits)", place: "{place} of {n} · {left} left to decide",
    mention: "Name", candidates: "Candidates", nil: "means none of the entities", accepted: "accepted", rejected: "rejected",
    nothing_to_review: "The file holds no links: it needs columns for a name and an id, or two names.", no_entities: "none are served",
    failed: "The service does not answer.", feature_name: "Name", feature_spelling: "Spelling", feature_letters: "Letters",
    feature_context: "Context", feature_type: "Type", feature_language: "Language",
  },
  de: {
    skip: "Zum Inhalt", sections: "Bereiche", search: "Suchen", upload: "Hochladen", space: "Karte", audit: "Prüfung", review: "Durchsicht",
    tongue: "Sprache dieser Seite", theme: "Hell oder dunkel", search_title: "In jeder Sprache suchen", question: "Frage",
    collection: "Sammlung", hits: "Treffer", filter: "Filter", languages: "Sprachen", grouped: "Nach Sprache gruppieren",
    balance: "alle Sprachen gleichauf", prefer: "Sprache der Frage", hybrid: "Wörter der Frage", hybrid_auto: "zählen, wo sie indiziert sind", hybrid_on: "zählen", hybrid_off: "zählen nicht", as_learned: "wie üblich", own: "kommt zuerst", balanced: "im Gleichgewicht", blind: "zählt nicht", upload_title: "Aus einer Datei eine Sammlung machen", drop: "Datei hierher ziehen oder auswählen",
    formats: "CSV, TSV, JSON-Zeilen, TMX oder reiner Text, in UTF-8", text_column: "Spalte der Texte",
    language_column: "Spalte der Sprachen", id_column: "Spalte der Kennungen", name: "Name",
    language_of_all: "Sprache, wenn die Datei keine nennt", cancel: "Abbrechen", progress: "Fortschritt", collections: "Sammlungen",
    space_title: "Die Karte des Raums", vectors: "Vektoren", before: "vor der Angleichung", after: "nach der Angleichung", lasso: "Lasso",
    nearer: "Vergrößern", farther: "Verkleinern", whole: "Alles zeigen", space_help: "Punkte: Pfeiltasten verschieben, + und − zoomen",
    axes: "Die Achsen sind die zwei Hauptrichtungen aller Vektoren; was hier getrennt liegt, ist getrennt, was beisammen liegt, muss es nicht sein.",
    audit_title: "Wer findet wen?", measure: "Messen", review_title: "Zweifelhafte Verknüpfungen durchsehen", mentions: "Namen, einer pro Zeile",
    entities: "Entitäten", link: "Verknüpfen", open_links: "Oder Verknüpfungen öffnen: TSV von link, reconcile oder graph align", card: "Verknüpfung",
    accept: "Annehmen", reject: "Ablehnen", back: "Zurück", next: "Weiter", export: "Als TSV ausgeben",
    review_help: "Tasten gelten, solange die Verknüpfung den Fokus hat: A nimmt an, R lehnt ab, N und P blättern, 1 bis 3 wählen einen Kandidaten.",
    key_title: "Dieser Dienst braucht einen Schlüssel", key: "Schlüssel", open: "Öffnen", all: "alle", none: "—",
    found: "{n} Treffer · Frage gelesen als: {language}", nothing: "Nichts gefunden.",
    no_collection: "Es gibt noch keine Sammlung. Laden Sie zuerst eine Datei hoch.", likely: "beantwortet: {sure}", why: "Warum dieser Wert",
    score: "Wert", score_csls: "2 × Nähe zur Frage, weniger die Nähe zu allem: danach sind die Treffer geordnet",
    score_cosine: "Nähe zur Frage: danach sind die Treffer geordnet", cosine: "Nähe", probability: "Wahrscheinlichkeit",
    unknown: "nicht bekannt", metadata: "Metadaten", reading: "Lesen", encoding: "{done} von {total} kodiert", saving: "Speichern",
    adding: "{done} von {total} hinzugefügt", waiting: "Warten", sending: "{percent} % gesendet", done: "{rows} Passagen sind durchsuchbar",
    cancelled: "Abgebrochen; nichts wurde behalten", passages: "{n} Passagen", delete: "Löschen", sure_delete: "{name} mit allen Passagen löschen?",
    choose: "Wählen Sie zuerst eine Datei.", points: "{n} von {total} Passagen.", no_before: "Diese Vektoren wurden nicht angeglichen: Es gibt kein Vorher.",
    no_webgl: "Dieser Browser kann kein WebGL, das die Karte braucht.", caught: "{n} Passagen im Lasso; die ersten {shown}:",
    rows_ask: "Fragen in", columns_find: "finden Texte in (Anteil der Treffer)", place: "{place} von {n} · {left} noch offen",
    mention: "Name", candidates: "Kandidaten", nil: "bedeutet keine der Entitäten", accepted: "angenommen", rejected: "abgelehnt",
    nothing_to_review: "Die Datei enthält keine Verknüpfungen: Sie braucht Spalten für Name und Kennung, oder zwei Namen.", no_entities: "keine im Dienst",
    failed: "Der Dienst antwortet nicht.", feature_name: "Name", feature_spelling: "Schreibweise", feature_letters: "Buchstaben",
    feature_context: "Zusammenhang", feature_type: "Art", feature_language: "Sprache",
  },
  zh: {
    skip: "跳到内容", sections: "栏目", search: "搜索", upload: "上传", space: "地图", audit: "审计", review: "复核",
    tongue: "页面语言", theme: "浅色或深色", search_title: "用任何语言搜索", question: "问题", collection: "文集", hits: "结果数",
    filter: "筛选", languages: "语言", grouped: "按语言分组", balance: "各语言持平", prefer: "问题的语言", hybrid: "问题的词语", hybrid_auto: "有词语索引时计入", hybrid_on: "计入", hybrid_off: "不计", as_learned: "照常", own: "优先", balanced: "均衡", blind: "不计", upload_title: "用文件建立文集",
    drop: "将文件拖到此处，或选择文件", formats: "CSV、TSV、JSON 行、TMX 或纯文本，UTF-8 编码", text_column: "文本所在列",
    language_column: "语言所在列", id_column: "编号所在列", name: "名称", language_of_all: "语言（文件未注明时）", cancel: "取消",
    progress: "进度", collections: "文集", space_title: "空间地图", vectors: "向量", before: "对齐前", after: "对齐后", lasso: "套索",
    nearer: "放大", farther: "缩小", whole: "显示全部", space_help: "点图：方向键移动，+ 和 − 缩放",
    axes: "坐标轴是全部向量的两个主方向；图上分开的确实分开，图上靠近的未必靠近。", audit_title: "谁能找到谁？", measure: "测量",
    review_title: "复核存疑的链接", mentions: "名称，每行一个", entities: "实体", link: "链接",
    open_links: "或打开链接文件：link、reconcile 或 graph align 的 TSV", card: "链接", accept: "接受", reject: "拒绝", back: "上一个",
    next: "下一个", export: "导出 TSV", review_help: "焦点在链接上时可用按键：A 接受，R 拒绝，N 和 P 翻页，1 至 3 选择候选。",
    key_title: "此服务需要密钥", key: "密钥", open: "打开", all: "全部", none: "—",
    found: "{n} 条结果 · 问题语言：{language}", nothing: "没有找到。", no_collection: "还没有文集。请先上传文件。",
    likely: "回答问题：{sure}", why: "分数说明", score: "分数", score_csls: "2 × 与问题的接近度，减去它与一切的接近度：结果按此排序",
    score_cosine: "与问题的接近度：结果按此排序", cosine: "接近度", probability: "概率", unknown: "未知", metadata: "元数据", reading: "读取中",
    encoding: "已编码 {done} / {total}", saving: "保存中", adding: "已添加 {done} / {total}", waiting: "等待中", sending: "已发送 {percent} %",
    done: "{rows} 段文本可供搜索", cancelled: "已取消；未保留任何内容", passages: "{n} 段文本", delete: "删除",
    sure_delete: "删除 {name} 及其全部文本？", choose: "请先选择文件。", points: "{n} / {total} 段文本。", no_before: "这些向量未经对齐：没有对齐前的图。",
    no_webgl: "此浏览器不支持地图所需的 WebGL。", caught: "套索内有 {n} 段文本；前 {shown} 段：", rows_ask: "提问语言",
    columns_find: "找到的文本语言（占结果的比例）", place: "第 {place} 个，共 {n} 个 · 尚余 {left} 个", mention: "名称", candidates: "候选",
    nil: "不指任何实体", accepted: "已接受", rejected: "已拒绝", nothing_to_review: "文件中没有链接：需要名称和编号两列，或两个名称。",
    no_entities: "未提供", failed: "服务没有响应。", feature_name: "名称", feature_spelling: "拼写", feature_letters: "字母",
    feature_context: "上下文", feature_type: "类型", feature_language: "语言",
  },
  ar: {
    skip: "إلى المحتوى", sections: "الأقسام", search: "بحث", upload: "رفع", space: "الخريطة", audit: "تدقيق", review: "مراجعة",
    tongue: "لغة الصفحة", theme: "فاتح أو داكن", search_title: "ابحث بأي لغة", question: "السؤال", collection: "المجموعة", hits: "النتائج",
    filter: "مرشّح", languages: "اللغات", grouped: "تجميع حسب اللغة", balance: "كل اللغات سواء", prefer: "لغة السؤال", hybrid: "كلمات السؤال", hybrid_auto: "تُحسب حيث فُهرست", hybrid_on: "تُحسب", hybrid_off: "لا تُحسب", as_learned: "كالمعتاد", own: "تأتي أولًا", balanced: "بتوازن", blind: "لا تُحسب", upload_title: "أنشئ مجموعة من ملف",
    drop: "أفلت ملفًا هنا أو اختر ملفًا", formats: "CSV أو TSV أو أسطر JSON أو TMX أو نص عادي، بترميز UTF-8", text_column: "عمود النصوص",
    language_column: "عمود اللغات", id_column: "عمود المعرّفات", name: "الاسم", language_of_all: "اللغة، إن لم يذكرها الملف", cancel: "إلغاء",
    progress: "التقدّم", collections: "المجموعات", space_title: "خريطة الفضاء", vectors: "المتجهات", before: "قبل المواءمة", after: "بعد المواءمة",
    lasso: "أداة التحديد", nearer: "تكبير", farther: "تصغير", whole: "عرض الكل", space_help: "نقاط: الأسهم للتحريك و + و − للتكبير والتصغير",
    axes: "المحوران هما الاتجاهان الرئيسيان لكل المتجهات؛ ما تباعد هنا متباعد، وما تقارب قد لا يكون متقاربًا.", audit_title: "من يجد من؟",
    measure: "قياس", review_title: "مراجعة الروابط المشكوك فيها", mentions: "أسماء، اسم في كل سطر", entities: "الكيانات", link: "ربط",
    open_links: "أو افتح روابط: ملف TSV من link أو reconcile أو graph align", card: "رابط", accept: "قبول", reject: "رفض", back: "السابق",
    next: "التالي", export: "تصدير TSV", review_help: "تعمل المفاتيح ما دام التركيز على الرابط: A قبول، R رفض، N و P للتنقل، 1 إلى 3 لاختيار مرشح.",
    key_title: "تحتاج هذه الخدمة إلى مفتاح", key: "المفتاح", open: "فتح", all: "الكل", none: "—",
    found: "{n} نتائج · لغة السؤال: {language}", nothing: "لم يُعثر على شيء.",
    no_collection: "لا توجد مجموعة بعد. ارفع ملفًا أولًا.", likely: "يجيب: {sure}", why: "لماذا هذه الدرجة", score: "الدرجة",
    score_csls: "ضعف القرب من السؤال ناقص القرب من كل شيء: بها تُرتَّب النتائج", score_cosine: "القرب من السؤال: به تُرتَّب النتائج", cosine: "القرب",
    probability: "الاحتمال", unknown: "غير معروف", metadata: "بيانات وصفية", reading: "قراءة", encoding: "رُمِّز {done} من {total}", saving: "حفظ",
    adding: "أُضيف {done} من {total}", waiting: "انتظار", sending: "أُرسل {percent} ٪", done: "يمكن البحث في {rows} مقطعًا",
    cancelled: "أُلغي؛ ولم يُحفظ شيء", passages: "{n} مقطعًا", delete: "حذف", sure_delete: "حذف {name} وكل مقاطعها؟", choose: "اختر ملفًا أولًا.",
    points: "{n} من {total} مقطعًا.", no_before: "لم تُواءم هذه المتجهات: لا يوجد قبل.", no_webgl: "لا يدعم هذا المتصفح WebGL الذي تحتاجه الخريطة.",
    caught: "{n} مقطعًا داخل التحديد؛ أول {shown}:", rows_ask: "أسئلة بلغة", columns_find: "تجد نصوصًا بلغة (حصة من النتائج)",
    place: "{place} من {n} · بقي {left}", mention: "الاسم", candidates: "المرشحون", nil: "لا يعني أيًّا من الكيانات", accepted: "مقبول", rejected: "مرفوض",
    nothing_to_review: "لا روابط في الملف: يلزم عمود للاسم وآخر للمعرّف، أو اسمان.", no_entities: "لا شيء", failed: "الخدمة لا تستجيب.", feature_name: "الاسم", feature_spelling: "التهجئة",
    feature_letters: "الحروف", feature_context: "السياق", feature_type: "النوع", feature_language: "اللغة",
  },
};
let tongue = "en";
const listeners = new Set();

export function say(key, values = {}) {
  const text = WORDS[tongue][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function number(value, options = {}) {
  return new Intl.NumberFormat(tongue, options).format(value);
}

export function percent(value) {
  return value == null ? say("unknown") : number(value, { style: "percent", maximumFractionDigits: 0 });
}

export function languageName(code) {
  if (!code || code === "und") return say("none");
  try {
    return new Intl.DisplayNames([tongue], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

export function onTongue(listener) {
  listeners.add(listener);
}

export function speak(wanted) {
  tongue = WORDS[wanted] ? wanted : "en";
  document.documentElement.lang = tongue;
  document.documentElement.dir = tongue === "ar" ? "rtl" : "ltr";
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = say(each.dataset.t);
  for (const each of document.querySelectorAll("[data-t-label]")) each.setAttribute("aria-label", say(each.dataset.tLabel));
  for (const listener of listeners) listener();
  return tongue;
}

export const TONGUES = Object.keys(WORDS);
