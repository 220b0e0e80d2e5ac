/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lexeme.c: the tables and the suffix rules.
 *
 * A stem is no dictionary form, only a key: plural and verb endings are cut, a
 * doubled last consonant is halved, a final e is dropped and a final y becomes
 * i, so that ride, rides and riding (rid), or pony and ponies (poni), meet. What
 * the rules cannot know (men, sat, knives) stands in a table, and so do
 * spellings of one thing (grey, bicycle and bike). A word that is in no table
 * and does not end like a verb counts as a noun: in captions nearly all words
 * outside the closed classes are.
 *
 * All tables are sorted, so that a word can be found in them; a test checks that.
 */
#include "engine/lexeme.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

static const char *const function_words[] = {
	"'s", "a", "about", "above", "across", "after", "again", "against", "ago", "ahead", "all",
	"almost", "along", "alongside", "also", "although", "am", "amid", "amidst", "among",
	"amongst", "amount", "an", "and", "another", "any", "anyone", "appear", "appears", "are",
	"area", "around", "as", "at", "atop", "away", "back", "background", "be", "because", "been",
	"before", "behind", "being", "below", "beneath", "beside", "besides", "between", "beyond",
	"both", "bottom", "bunch", "but", "by", "came", "can", "center", "closeup", "come", "comes",
	"coming", "corner", "different", "direction", "distance", "do", "does", "doing", "down",
	"during", "each", "edge", "either", "else", "elsewhere", "end", "ends", "even", "every",
	"everyone", "everywhere", "few", "first", "for", "foreground", "form", "from", "front",
	"full", "get", "gets", "getting", "go", "goes", "going", "had", "half", "has", "have",
	"having", "he", "her", "here", "herself", "him", "himself", "his", "how", "i", "if",
	"image", "in", "inside", "instead", "into", "is", "it", "item", "items", "its", "itself",
	"just", "kind", "kinds", "last", "let", "lets", "letting", "like", "looks", "lot", "lots",
	"made", "main", "make", "makes", "making", "many", "may", "middle", "midst", "more", "most",
	"much", "multiple", "near", "nearby", "next", "no", "nobody", "not", "object", "objects",
	"of", "off", "on", "once", "one's", "only", "onto", "opposite", "or", "other", "others",
	"out", "outside", "over", "own", "part", "parts", "past", "photo", "photograph", "photos",
	"picture", "pictures", "piece", "pieces", "place", "position", "put", "puts", "putting",
	"range", "s", "same", "say", "says", "scene", "second", "see", "seeing", "seem", "seems",
	"seen", "sees", "self", "set", "sets", "several", "she", "shot", "show", "showing", "shown",
	"shows", "side", "sides", "so", "some", "someone", "something", "sort", "sport", "sports",
	"stuff", "style", "such", "t", "take", "taken", "takes", "taking", "than", "that", "the",
	"their", "them", "themselves", "there", "these", "they", "thing", "things", "third", "this",
	"those", "though", "through", "time", "times", "to", "today", "together", "too", "took",
	"top", "tops", "toward", "towards", "tried", "tries", "try", "trying", "twice", "type",
	"types", "under", "underneath", "until", "up", "upcoming", "upon", "us", "use", "used",
	"uses", "using", "various", "very", "view", "want", "wants", "was", "way", "ways", "we",
	"were", "what", "when", "where", "which", "while", "whilst", "who", "whole", "whom",
	"whose", "with", "within", "without", "yet", "you",
};

static const char *const descriptions[] = {
	"adorable", "adult", "african", "aged", "airborne", "alike", "alone", "american", "ancient",
	"antique", "apart", "artificial", "asian", "asleep", "attached", "attractive", "awake",
	"backward", "backwards", "baked", "bald", "bare", "barefoot", "barren", "bearded",
	"beautiful", "best", "big", "bigger", "blurred", "blurry", "british", "broken", "bundled",
	"busy", "calm", "canadian", "cardboard", "carpeted", "carved", "casual", "chained",
	"chinese", "choppy", "chubby", "classic", "clean", "clear", "close", "closed", "closely",
	"cloudy", "cobblestone", "cold", "colored", "colorful", "colorfully", "colourful",
	"commercial", "complete", "cooked", "cool", "covered", "crowded", "curious", "curly",
	"cute", "darkened", "dead", "decorated", "decorative", "deep", "delicious", "deserted",
	"diced", "dim", "dimly", "dirty", "distant", "distorted", "dotted", "double", "downhill",
	"dressed", "dried", "dry", "dusty", "eastern", "elaborate", "elderly", "electric",
	"electronic", "elegant", "elevated", "empty", "enclosed", "enormous", "european", "excited",
	"extra", "extreme", "eyed", "fake", "fallen", "famous", "fancy", "far", "fashioned", "fast",
	"fat", "female", "fenced", "festive", "filled", "flat", "flooded", "floppy", "floral",
	"flowered", "flowery", "fluffy", "foggy", "folded", "formal", "forward", "frail", "french",
	"fresh", "freshly", "fried", "friendly", "frozen", "fun", "funny", "furry", "fuzzy",
	"german", "giant", "glass", "glazed", "good", "graffitied", "grassy", "great", "grilled",
	"haired", "hairy", "happily", "happy", "hard", "hawaiian", "headed", "heavily", "heavy",
	"high", "hilly", "homemade", "hooded", "hot", "huge", "human", "icy", "identical", "indian",
	"indoor", "indoors", "industrial", "inflatable", "intently", "interactive", "interesting",
	"japanese", "joyful", "large", "larger", "last", "lavish", "leafless", "leafy", "lean",
	"leashed", "leather", "leaved", "left", "legged", "lighted", "lined", "lit", "little",
	"live", "lone", "long", "low", "lower", "lush", "male", "martial", "massive", "medium",
	"merry", "messy", "metal", "mid", "military", "mini", "miniature", "mirrored", "modern",
	"mossy", "mostly", "motorized", "mountainous", "mounted", "muddy", "multi", "multicolored",
	"murky", "muscular", "musical", "muzzled", "naked", "narrow", "native", "natural", "neatly",
	"necked", "neon", "new", "newborn", "newly", "nice", "nicely", "nighttime", "odd", "old",
	"older", "open", "opened", "oriental", "ornate", "outdoor", "outdoors", "outstretched",
	"overhead", "oversized", "overweight", "padded", "painted", "partially", "partly",
	"patterned", "paved", "plaid", "plain", "plastic", "playful", "playfully", "polar", "posed",
	"pregnant", "pretty", "professional", "public", "quickly", "rainy", "ready", "real",
	"really", "rear", "red-haired", "redheaded", "religious", "residential", "right", "ripe",
	"rocky", "rough", "round", "rubber", "rural", "rustic", "rusty", "sad", "sandy", "scenic",
	"shallow", "shaped", "sharp", "sheer", "shiny", "shirted", "shirtless", "short", "sideways",
	"silly", "similar", "single", "sized", "skimpy", "skinned", "skinny", "sleeved", "sliced",
	"slightly", "slow", "slowly", "small", "smaller", "smart", "smooth", "snowy", "soft",
	"solid", "spanish", "spotted", "square", "stacked", "stained", "stainless", "steep",
	"still", "straight", "strange", "striped", "stuffed", "suburban", "sunny", "surrounded",
	"tall", "tattooed", "teenage", "thick", "thin", "tight", "tiled", "tiny", "tired",
	"toothed", "toothless", "topless", "traditional", "tropical", "typical", "underwater",
	"uniformed", "unique", "unusual", "uphill", "upper", "upright", "upside", "urban",
	"vintage", "visible", "warm", "watery", "western", "wet", "wheeled", "wide", "wild",
	"windy", "wire", "wooded", "wooden", "young", "younger",
};

static const char *const colours[] = {
	"aqua", "beige", "black", "blond", "blonde", "blue", "bronze", "brown", "brunette", "gold",
	"golden", "gray", "green", "grey", "khaki", "lime", "maroon", "navy", "orange", "pink",
	"purple", "red", "reddish", "silver", "tan", "teal", "turquoise", "white", "yellow",
};

static const char *const numbers[] = {
	"2", "3", "4", "5", "6", "7", "8", "9", "eight", "five", "four", "nine", "one", "seven",
	"six", "ten", "three", "twelve", "two",
};

/* Words in -ing that name things. */
static const char *const nouns_in_ing[] = {
	"awning", "bedding", "building", "buildings", "ceiling", "ceilings", "clearing", "clothing",
	"crossing", "darling", "dressing", "earring", "earrings", "evening", "frosting", "icing",
	"king", "landing", "lightning", "lodging", "morning", "opening", "outcropping", "painting",
	"paintings", "railing", "railings", "ring", "rings", "seasoning", "sibling", "siding",
	"sling", "spring", "string", "strings", "swing", "topping", "toppings", "wedding", "wing",
	"wings",
};

/* Stems of verbs as their finite forms have them; those that are mostly nouns in
 * captions (plant, park, face, watch as a thing on a wrist) are left out. */
static const char *const verbs[] = {
	"approach", "attempt", "balanc", "bark", "begin", "belong", "bend", "blow", "break",
	"brush", "buy", "carri", "carv", "catch", "celebrat", "chas", "chat", "cheer", "chew",
	"climb", "com", "compet", "contain", "cook", "cov", "crawl", "cross", "cut", "danc",
	"descend", "dig", "drag", "dribbl", "drink", "driv", "eat", "embrac", "emerg", "enjoi",
	"enter", "examin", "explor", "fall", "feed", "fight", "fli", "flip", "float", "follow",
	"gather", "gaz", "giv", "grab", "graz", "greet", "grin", "hang", "help", "herd", "hik",
	"hit", "hold", "hug", "inspect", "jog", "jump", "kick", "kiss", "kneel", "laugh", "lean",
	"leap", "leav", "lick", "lift", "listen", "look", "march", "mov", "navigat", "observ",
	"participat", "pass", "paus", "peek", "perform", "pet", "pick", "plai", "point", "pos",
	"pour", "practic", "prepar", "pretend", "pull", "push", "rac", "reach", "read", "relax",
	"rest", "retriev", "return", "rid", "roll", "run", "sail", "sel", "sell", "serv", "shak",
	"shoot", "shov", "sing", "sit", "skat", "ski", "sleep", "smil", "snif", "sniff", "speak",
	"spin", "splash", "spread", "stand", "stretch", "stroll", "surf", "swim", "tackl", "tak",
	"talk", "throw", "toss", "touch", "travel", "trot", "wait", "walk", "want", "watch", "wear",
	"work", "wrestl",
};

/* Forms the rules do not lead to their word, and other spellings of it. */
static const char *const irregular[][2] = {
	{ "aeroplane", "plane" }, { "aeroplanes", "plane" }, { "aircraft", "plane" },
	{ "airplane", "plane" }, { "airplanes", "plane" }, { "ate", "eat" }, { "began", "begin" },
	{ "begun", "begin" }, { "bent", "bend" }, { "bicycle", "bike" }, { "bicycles", "bike" },
	{ "bicyclist", "biker" }, { "bicyclists", "biker" }, { "bikes", "bike" },
	{ "bitten", "bite" }, { "blew", "blow" }, { "blond", "blonde" }, { "blown", "blow" },
	{ "boarder", "snowboarder" }, { "boarders", "snowboarder" }, { "bought", "buy" },
	{ "broke", "break" }, { "built", "build" }, { "bus", "bus" }, { "buses", "bus" },
	{ "calves", "calf" }, { "carried", "carry" }, { "caught", "catch" },
	{ "cellphone", "phone" }, { "cellphones", "phone" }, { "children", "child" },
	{ "colour", "color" }, { "colours", "color" }, { "couch", "sofa" }, { "couches", "sofa" },
	{ "crept", "creep" }, { "cyclist", "biker" }, { "cyclists", "biker" }, { "did", "do" },
	{ "donut", "doughnut" }, { "donuts", "doughnut" }, { "drank", "drink" },
	{ "drawn", "draw" }, { "driven", "drive" }, { "drove", "drive" }, { "dug", "dig" },
	{ "eaten", "eat" }, { "fed", "feed" }, { "feet", "foot" }, { "fell", "fall" },
	{ "flew", "fly" }, { "flown", "fly" }, { "fought", "fight" }, { "fridge", "refrigerator" },
	{ "fridges", "refrigerator" }, { "geese", "goose" }, { "gold", "golden" },
	{ "grey", "gray" }, { "guy", "man" }, { "guys", "man" }, { "halves", "half" },
	{ "held", "hold" }, { "hotdogs", "hotdog" }, { "hung", "hang" }, { "kid", "child" },
	{ "kids", "child" }, { "knelt", "kneel" }, { "knives", "knife" }, { "ladies", "woman" },
	{ "lady", "woman" }, { "laid", "lie" }, { "lain", "lie" }, { "lay", "lie" },
	{ "laying", "lie" }, { "lays", "lie" }, { "leapt", "leap" }, { "leaves", "leaf" },
	{ "led", "lead" }, { "lens", "lens" }, { "lit", "light" }, { "loaves", "loaf" },
	{ "lying", "lie" }, { "men", "man" }, { "mice", "mouse" }, { "motorbike", "motorcycle" },
	{ "motorbikes", "motorcycle" }, { "motorcyclists", "motorcyclist" }, { "oxen", "ox" },
	{ "people", "person" }, { "persons", "person" }, { "phones", "phone" },
	{ "planes", "plane" }, { "puppies", "puppy" }, { "ran", "run" }, { "ridden", "ride" },
	{ "rode", "ride" }, { "roses", "rose" }, { "rung", "ring" }, { "sandals", "sandal" },
	{ "sang", "sing" }, { "sat", "sit" }, { "scarves", "scarf" }, { "seen", "see" },
	{ "sheep", "sheep" }, { "shelves", "shelf" }, { "shone", "shine" }, { "shook", "shake" },
	{ "skies", "heaven" }, { "skiier", "skier" }, { "skiiers", "skier" }, { "skiis", "ski" },
	{ "sky", "heaven" }, { "slept", "sleep" }, { "slid", "slide" }, { "sold", "sell" },
	{ "sped", "speed" }, { "spoke", "speak" }, { "sprung", "spring" }, { "spun", "spin" },
	{ "stood", "stand" }, { "struck", "strike" }, { "stuck", "stick" }, { "swam", "swim" },
	{ "swept", "sweep" }, { "swum", "swim" }, { "swung", "swing" }, { "taken", "take" },
	{ "teeth", "tooth" }, { "telephone", "phone" }, { "television", "tv" },
	{ "televisions", "tv" }, { "tennis", "tennis" }, { "threw", "throw" },
	{ "thrown", "throw" }, { "tire", "tyre" }, { "tires", "tyre" }, { "took", "take" },
	{ "tvs", "tv" }, { "tying", "tie" }, { "veggies", "vegetable" }, { "wolves", "wolf" },
	{ "women", "woman" }, { "wore", "wear" }, { "worn", "wear" }, { "wound", "wind" },
	{ "wove", "weave" }, { "woven", "weave" }, { "written", "write" },
};

/* Stems of a kind, then the stem that they support, then what can be said for a noun of
 * the kind, one and many; the wider kinds first. */
static const struct {
	const char *general;
	const char *special;	/* blank-separated, blanks at both ends */
	const char *one, *many;	/* or NULL */
} kinds[] = {
	{ "person", " man woman boi girl child babi toddler player skier snowboarder surfer "
	  "skateboarder biker rider skater swimmer climber runner worker chef cowboi "
	  "teenager adult fisherman policeman fireman motorcyclist hiker dancer musician "
	  "batter pitcher catcher goali soldier coupl crowd group team officer farmer mal "
	  "femal brid groom wrestler athlet performer pedestrian ", "person", "people" },
	{ "child", " boi girl babi toddler ", "child", "children" },
	{ "adult", " man woman ", NULL, NULL },
	{ "animal", " dog cat hors cow sheep bird bear elephant giraff zebra lion duck goat puppi "
	  "kitten monkei squirrel lamb poni goos deer greyhound poodl colli terrier ",
	  "animal", "animals" },
	{ "dog", " puppi poodl terrier greyhound colli labrador huski retriever dachshund pug "
	  "dalmatian shepherd ", "dog", "dogs" },
	{ "cat", " kitten ", "cat", "cats" },
	{ "bird", " duck goos owl parrot pigeon seagul swan penguin chicken ", "bird", "birds" },
	{ "vehicl", " car truck bus van motorcycl train boat jeep suv taxi bik tractor ",
	  "vehicle", "vehicles" },
	{ "boat", " cano kayak sailboat ship raft ferri yacht rowboat ", "boat", "boats" },
	{ "bal", " basketbal footbal basebal softbal volleybal ", NULL, NULL },
	{ "water", " ocean lak river sea pool stream pond wav ", NULL, NULL },
	{ "food", " pizza sandwich cak salad bread fruit vegetabl meal meat chees hotdog doughnut "
	  "broccoli ric soup pasta dessert ", NULL, NULL },
	{ "hat", " cap helmet beani ", NULL, NULL },
	{ "tre", " palm ", NULL, NULL },
	{ "street", " road ", NULL, NULL },
	{ "road", " street highwai ", NULL, NULL },
};

/* Of the kinds' nouns: such as stand for many or beside another noun, plurals that no
 * rule tells, and words that do not say how many. */
static const char *const collectives[] = { "couple", "crowd", "female", "group", "male", "team" };
static const char *const plurals[] = { "children", "geese", "men", "people" };
static const char *const unnumbered[] = { "deer", "sheep" };

static bool is_sorted(const char *const *table, size_t count, size_t step)
{
	for (size_t i = step; i < count * step; i += step) {
		if (strcmp(table[i - step], table[i]) >= 0)
			return false;
	}
	return true;
}

bool lexeme_tables_are_sorted(void)
{
#define IS_SORTED(table) is_sorted(table, sizeof(table) / sizeof(*(table)), 1)
	return IS_SORTED(function_words) && IS_SORTED(descriptions) && IS_SORTED(colours) &&
		IS_SORTED(numbers) && IS_SORTED(nouns_in_ing) && IS_SORTED(verbs) &&
		IS_SORTED(collectives) && IS_SORTED(plurals) && IS_SORTED(unnumbered) &&
		is_sorted(&irregular[0][0], sizeof(irregular) / sizeof(*irregular), 2);
#undef IS_SORTED
}

/* --- Which tables a word stands in -------------------------------------------- */

enum {
	FUNCTION_WORD = 1 << 0,
	DESCRIPTION = 1 << 1,
	COLOUR = 1 << 2,
	NUMBER = 1 << 3,
	NOUN_IN_ING = 1 << 4,
	VERB_STEM = 1 << 5,
	COLLECTIVE = 1 << 6,
	PLURAL = 1 << 7,
	UNNUMBERED = 1 << 8,
};

struct known {
	const char *word;	/* NULL: free */
	const char *base;	/* of an irregular word, or NULL */
	unsigned tables;
};

/* Every word of every table once, by its hash: opening a model asks for thousands of
 * words. At most half full, so that a search ends soon. */
#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define KNOWN_MAX (COUNT(function_words) + COUNT(descriptions) + COUNT(colours) + \
		   COUNT(numbers) + COUNT(nouns_in_ing) + COUNT(verbs) + COUNT(irregular) + \
		   COUNT(collectives) + COUNT(plurals) + COUNT(unnumbered))
#define SLOTS 4096u
_Static_assert(2 * KNOWN_MAX <= SLOTS, "the hash table is too small");

static struct known known[KNOWN_MAX];
static uint16_t slots[SLOTS];	/* index + 1 in `known`, or 0 */
static size_t known_count;
static pthread_once_t known_once = PTHREAD_ONCE_INIT;

/* The slot that holds the word or is free for it. */
static uint16_t *find_slot(const char *word)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (const char *at = word; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	hash ^= hash >> 16;
	while (slots[hash % SLOTS] && strcmp(known[slots[hash % SLOTS] - 1].word, word) != 0)
		hash++;
	return &slots[hash % SLOTS];
}

static struct known *add_known(const char *word)
{
	uint16_t *slot = find_slot(word);

	if (!*slot) {
		known[known_count++].word = word;
		*slot = (uint16_t)known_count;
	}
	return &known[*slot - 1];
}

static void add_table(const char *const *words, size_t count, unsigned table)
{
	for (size_t i = 0; i < count; i++)
		add_known(words[i])->tables |= table;
}

static void find_known(void)
{
	add_table(function_words, COUNT(function_words), FUNCTION_WORD);
	add_table(descriptions, COUNT(descriptions), DESCRIPTION);
	add_table(colours, COUNT(colours), COLOUR);
	add_table(numbers, COUNT(numbers), NUMBER);
	add_table(nouns_in_ing, COUNT(nouns_in_ing), NOUN_IN_ING);
	add_table(verbs, COUNT(verbs), VERB_STEM);
	add_table(collectives, COUNT(collectives), COLLECTIVE);
	add_table(plurals, COUNT(plurals), PLURAL);
	add_table(unnumbered, COUNT(unnumbered), UNNUMBERED);
	for (size_t i = 0; i < COUNT(irregular); i++)
		add_known(irregular[i][0])->base = irregular[i][1];
}

static struct known known_as(const char *word)
{
	const uint16_t *slot;

	pthread_once(&known_once, find_known);
	slot = find_slot(word);
	return *slot ? known[*slot - 1] : (struct known){ 0 };
}

/* --- Stems --------------------------------------------------------------------- */

static bool is_vowel(char letter)
{
	return letter != '\0' && strchr("aeiouy", letter) != NULL;
}

static bool has_vowel(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (is_vowel(text[i]))
			return true;
	}
	return false;
}

static bool ends_in(const char *text, size_t length, const char *ending)
{
	size_t n = strlen(ending);

	return length > n && memcmp(text + length - n, ending, n) == 0;
}

/* Cuts an ending off a verb; returns whether there was one. */
static bool cut_verb(char *stem, size_t *length)
{
	size_t rest = ends_in(stem, *length, "ing") ? *length - 3 :
		ends_in(stem, *length, "ed") ? *length - 2 : 0;

	if (rest < 2 || !has_vowel(stem, rest))
		return false;
	*length = rest;
	return true;
}

static void cut_plural(char *stem, size_t *length)
{
	if (*length < 4 || stem[*length - 1] != 's' || ends_in(stem, *length, "ss") ||
	    ends_in(stem, *length, "us"))
		return;
	if (ends_in(stem, *length, "ses") || ends_in(stem, *length, "xes") ||
	    ends_in(stem, *length, "zes") || ends_in(stem, *length, "ches") ||
	    ends_in(stem, *length, "shes") || ends_in(stem, *length, "ies") ||
	    ends_in(stem, *length, "oes"))
		*length -= 2;
	else
		*length -= 1;
}

static void finish_stem(char *stem, size_t length)
{
	if (length > 3 && stem[length - 1] == stem[length - 2] && !is_vowel(stem[length - 1]) &&
	    strchr("bdgmnprtl", stem[length - 1]))
		length--;
	if (length > 2 && stem[length - 1] == 'e')
		length--;
	if (length > 2 && stem[length - 1] == 'y')
		stem[length - 1] = 'i';
	stem[length] = '\0';
}

struct lexeme lexeme_of(const char *word)
{
	struct lexeme lexeme = { .kind = LEXEME_NOUN };
	struct known as = known_as(word);
	const char *base = as.base ? as.base : word;
	size_t length = strlen(base);
	bool noun = as.tables & NOUN_IN_ING, verb = false;

	if (length >= sizeof(lexeme.stem))
		length = sizeof(lexeme.stem) - 1;
	memcpy(lexeme.stem, base, length);
	if (length > 3 && ends_in(lexeme.stem, length, "men"))
		lexeme.stem[length - 2] = 'a';
	if (!noun)
		verb = cut_verb(lexeme.stem, &length);
	if (!verb)
		cut_plural(lexeme.stem, &length);
	finish_stem(lexeme.stem, length);

	if (as.tables & COLOUR)
		lexeme.kind = LEXEME_COLOUR;
	else if (as.tables & NUMBER)
		lexeme.kind = LEXEME_NUMBER;
	else if (as.tables & FUNCTION_WORD)
		lexeme.kind = LEXEME_FUNCTION;
	else if (as.tables & DESCRIPTION)
		lexeme.kind = LEXEME_DESCRIPTION;
	else if (!noun && (verb || known_as(lexeme.stem).tables & VERB_STEM))
		lexeme.kind = LEXEME_VERB;
	return lexeme;
}

bool lexeme_is_content(const struct lexeme *lexeme)
{
	return lexeme->kind >= LEXEME_COLOUR;
}

bool lexeme_supports(const struct lexeme *said, const struct lexeme *general)
{
	char padded[LEXEME_BYTES + 2];
	size_t length = strlen(said->stem);

	if (strcmp(said->stem, general->stem) == 0)
		return true;
	padded[0] = ' ';
	memcpy(padded + 1, said->stem, length);
	padded[length + 1] = ' ';
	padded[length + 2] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].general, general->stem) == 0 &&
		    strstr(kinds[i].special, padded))
			return true;
	}
	return false;
}

bool lexeme_is_general(const struct lexeme *lexeme)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].general, lexeme->stem) == 0)
			return true;
	}
	return false;
}

/* Of each of `kinds`, found once: every noun of a vocabulary is held against all. */
static struct lexeme kind_lexemes[sizeof(kinds) / sizeof(*kinds)];

static void find_kinds(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].one)
			kind_lexemes[i] = lexeme_of(kinds[i].one);
}

size_t lexeme_generals(const char *word, const char *ret_words[LEXEME_GENERALS])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct lexeme said = lexeme_of(word);
	struct known as = known_as(word);
	size_t length = strlen(word), count = 0;
	bool many;

	if (said.kind != LEXEME_NOUN || as.tables & (COLLECTIVE | UNNUMBERED))
		return 0;
	pthread_once(&once, find_kinds);
	many = as.tables & PLURAL || ends_in(word, length, "men") ||
		(ends_in(word, length, "s") && !ends_in(word, length, "us"));
	for (size_t i = sizeof(kinds) / sizeof(*kinds); i-- > 0 && count < LEXEME_GENERALS;) {
		const struct lexeme *general = &kind_lexemes[i];

		if (!kinds[i].one)
			continue;
		if (strcmp(general->stem, said.stem) != 0 && lexeme_supports(&said, general))
			ret_words[count++] = many ? kinds[i].many : kinds[i].one;
	}
	return count;
}
